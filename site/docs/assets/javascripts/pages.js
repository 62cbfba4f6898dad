// What a screen reader needs, and the stock page lacks: the name of the dialog.
document.querySelector("[data-md-component=search][role=dialog]")?.setAttribute("aria-label", "Search")

// What scrolls must be reachable without a mouse, and nothing else needs a stop of the tab key.
// Material gives code its stop only under a mouse, and wraps tables late.
{
  const scrolling = "pre > code, .md-typeset__scrollwrap, div.arithmatex"
  const reachable = () => {
    for (const element of document.querySelectorAll(scrolling)) {
      const scrolls =
        element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight + 1
      if (scrolls && element.tabIndex !== 0) element.tabIndex = 0
      if (!scrolls && element.hasAttribute("tabindex")) element.removeAttribute("tabindex")
    }
  }
  const watched = { childList: true, subtree: true, attributeFilter: ["tabindex", "open"] }
  new MutationObserver(reachable).observe(document.body, watched)
  new ResizeObserver(reachable).observe(document.body)
}

// Typeset the maths of a page with the KaTeX beside this file. Pages without maths load none of it.
{
  const base = new URL("../katex/", document.currentScript.src).href
  const formulas = document.querySelectorAll(".arithmatex")

  const typeset = () => {
    for (const formula of formulas) {
      const displayMode = formula.tagName === "DIV"
      const written = formula.querySelector("annotation") ?? formula
      const tex = written.textContent.trim().replace(/^\\[([]|\\[)\]]$/g, "")
      katex.render(tex, formula, { displayMode, throwOnError: false })
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
