// Typeset the maths of a page with the KaTeX beside this file. Pages without maths load none of it.
{
  const base = new URL("../katex/", document.currentScript.src).href
  const formulas = document.querySelectorAll(".arithmatex")

  const typeset = () => {
    for (const formula of formulas) {
      const display = formula.tagName === "DIV"
      const tex = formula.textContent.trim().replace(/^\\[([]|\\[)\]]$/g, "")
      katex.render(tex, formula, { displayMode: display, throwOnError: false })
      // What scrolls must be reachable without a mouse.
      if (display && formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0
    }
    document.documentElement.dataset.maths = "ready"
  }

  if (formulas.length) {
    const style = document.createElement("link")
    style.rel = "stylesheet"
    style.href = base + "katex.min.css"
    const script = document.createElement("script")
    script.src = base + "katex.min.js"
    script.onload = typeset
    document.head.append(style, script)
  }
}
