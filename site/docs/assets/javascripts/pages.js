// What a screen reader needs, and the stock page lacks: the name of the dialog.
document.querySelector("[data-md-component=search][role=dialog]")?.setAttribute("aria-label", "Search")

// What scrolls must be reachable without a mouse, and nothing else needs a stop of the tab key.
// Material gives code its stop only under a mouse, and wraps tables late.
{
  const scrolling = "pre > code, .md-typeset__scrollwrap, div.arithmatex"
  const doesScroll = (e) => e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight + 1
  let waiting = false
  const reachable = () => {
    waiting = false
    // All is read before anything is written: the page is laid out once.
    const found = [...document.querySelectorAll(scrolling)].map((e) => [e, doesScroll(e)])
    for (const [element, scrolls] of found) {
      if (scrolls && element.tabIndex !== 0) element.tabIndex = 0
      if (!scrolls && element.hasAttribute("tabindex")) element.removeAttribute("tabindex")
    }
  }
  const soon = () => {
    if (!waiting) requestAnimationFrame(reachable)
    waiting = true
  }
  const watched = { childList: true, subtree: true, attributeFilter: ["tabindex", "open"] }
  new MutationObserver(soon).observe(document.body, watched)
  new ResizeObserver(soon).observe(document.body)
}

// A heading's own link is in the contents too, and needs no second stop.
{
  const contents = document.querySelectorAll(".md-nav--secondary a")
  const listed = new Set([...contents].map((link) => link.hash))
  for (const link of document.querySelectorAll(".headerlink")) {
    if (listed.has(link.hash)) link.tabIndex = -1
  }
}

// What an abbreviation stands for is said where it first stands, to the tab key and a finger too.
{
  const said = new Set()
  for (const abbreviation of document.querySelectorAll(".md-content abbr[title]")) {
    if (said.has(abbreviation.textContent) || abbreviation.closest("a, summary, h1, h2, h3, .said, [hidden]")) continue
    said.add(abbreviation.textContent)
    abbreviation.tabIndex = 0
  }
}

// Material gives the drawer's button, the ways in it and the space bar to the mouse alone.
{
  const drawer = document.getElementById("__drawer")
  const button = document.querySelector(".md-header__button[for=__drawer]")
  const side = document.querySelector(".md-sidebar--primary")
  const isSeen = (e) => e.offsetParent && getComputedStyle(e).visibility === "visible"
  // Beside a wide page they are headings of sections, in the drawer they are ways in.
  const ways = side.querySelectorAll('label.md-nav__link[tabindex=""]')
  const say = () => {
    button.setAttribute("aria-expanded", drawer.checked)
    for (const way of ways) way.tabIndex = drawer.checked ? 0 : -1
  }
  button.setAttribute("role", "button")
  button.setAttribute("aria-label", "Navigation")
  button.tabIndex = 0
  for (const way of side.querySelectorAll(".md-nav .md-nav__title, [for=__toc]")) way.tabIndex = 0
  say()
  drawer.addEventListener("change", () => {
    say()
    if (drawer.checked && document.activeElement === button) {
      ;[...side.querySelectorAll("a, label[tabindex]")].find(isSeen)?.focus()
    }
  })
  for (const toggle of side.querySelectorAll(".md-nav__toggle")) {
    const follow = () => toggle.labels[toggle.checked ? toggle.labels.length - 1 : 0].focus()
    toggle.addEventListener("change", follow)
  }
  document.addEventListener("focusin", ({ target }) => {
    const isAway = !side.contains(target) && target !== button
    if (drawer.checked && isAway && isSeen(button)) drawer.click()
  })
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement
    if (event.key === "Escape" && drawer.checked) {
      drawer.click()
      button.focus()
    } else if (event.key === " " && at.matches("label[tabindex], .md-option")) {
      event.preventDefault()
      ;(at.matches("label") ? at : at.nextElementSibling).click()
    }
  })
}

// Who closes an enlarged figure is where it was opened.
addEventListener("load", () => {
  if (typeof lightbox === "undefined") return
  let opener = null
  lightbox.on("open", () => {
    opener = document.activeElement
    const close = document.querySelector(".glightbox-container .gclose")
    close.classList.add("focused") // from where its own handling of the tab key goes on
    close.focus()
  })
  lightbox.on("close", () => opener.focus({ preventScroll: true }))
})

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
