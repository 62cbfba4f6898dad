// What is looked for by its whole name comes first: lunr would put `class_portrait` before “Class”,
// since a longer word is rarer. The order of the rest stays. Loaded before Material, which starts
// the worker that searches.
{
  const korean = /[가-힣]+/g

  window.Worker = class extends window.Worker {
    constructor(...given) {
      super(...given)
      this.named = new Map()
      // Heard before Material, which shows the same object.
      this.addEventListener("message", ({ data }) => {
        if (Array.isArray(data?.data?.items)) this.sort(data.data.items)
      })
    }

    postMessage(message, ...rest) {
      const { config, docs } = message?.data ?? {}
      if (docs) {
        this.separator = new RegExp(config.separator)
        this.named = new Map(docs.map((doc) => [doc.location, this.names(doc)]))
      } else if (typeof message?.data === "string") {
        this.asked = [message.data, message.data.split(".").pop()].map((text) => this.bare(text))
      }
      super.postMessage(message, ...rest)
    }

    bare(text) {
      return text.toLowerCase().split(this.separator).join("")
    }

    // A heading, its English or its Korean part, its code, and the words that a page hides for us.
    names({ title, text }) {
      const code = [...title.matchAll(/<code>(.*?)<\/code>/g)]
      const hidden = [...text.matchAll(/<sub>(.*?)<\/sub>/g)]
      const parts = [title.replace(korean, ""), (title.match(korean) ?? []).join("")]
      return [title, ...parts, ...[...code, ...hidden].map((found) => found[1])].map((name) => this.bare(name))
    }

    sort(groups) {
      const isNamed = ({ location }) => this.named.get(location)?.some((name) => name && this.asked.includes(name))
      const first = (a, b) => (isNamed(b) ? 1 : 0) - (isNamed(a) ? 1 : 0)
      for (const group of groups) group.sort(first)
      groups.sort((a, b) => first(a[0], b[0]))
    }
  }
}
