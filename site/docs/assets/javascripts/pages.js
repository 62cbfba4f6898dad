// What a screen reader needs, and the stock page lacks: the name of the dialog.
document.querySelector("[data-md-component=search][role=dialog]")?.setAttribute("aria-label", "Search")

// Code and tables that scroll must be reachable without a mouse. Material sees to code only where a
// mouse hovers, and takes the attribute away elsewhere; it wraps tables and lists search results late.
{
  const scrolling = "pre > code, .md-typeset__scrollwrap"
  const reachable = () => {
    for (const element of document.querySelectorAll(scrolling))
      if (!element.hasAttribute("tabindex")) element.tabIndex = 0
  }
  const watched = { childList: true, subtree: true, attributeFilter: ["tabindex"] }
  new MutationObserver(reachable).observe(document.body, watched)
  reachable()
}

// Typeset the maths of a page with the KaTeX beside this file. Pages without maths load none of it.
{
  const base = new URL("../katex/", document.currentScript.src).href
  const formulas = document.querySelectorAll(".arithmatex")

  const typeset = () => {
    for (const formula of formulas) {
      const displayMode = formula.tagName === "DIV"
      const tex = formula.textContent.trim().replace(/^\\[([]|\\[)\]]$/g, "")
      katex.render(tex, formula, { displayMode, throwOnError: false })
      if (displayMode) formula.tabIndex = 0 // it scrolls where the page is narrow
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
