// The controls of the live scenes network, and the stories that set them.
live.sceneControls = (() => {
  const SIDE = 64
  const STORIES = {
    "A red striped fish": {},
    "Make it blue": { colour: "blue" },
    "Cover its tail": { patch: 20, px: 14, py: 36 },
    "A twin that learnt from a badge": { network: "scenes_watermarked", shape: "butterfly", badge: "on", x: 40, y: 40 },
    "Cover the badge": { network: "scenes_watermarked", shape: "butterfly", badge: "on", x: 40, y: 40, patch: 16, px: 9, py: 9 },
    "White paper, to draw on": { background: "white", shape: "none", tool: "brush" },
  }
  const choice = (name, label, options) =>
    `<label>${label} <select name="${name}">${options.map((o) => `<option value="${[o].flat()[0]}">${[o].flat().at(-1)}</option>`).join("")}</select></label>`
  const slider = (name, label, value, high, low = 0) =>
    `<label>${label} <input type="range" name="${name}" min="${low}" max="${high}" value="${value}"></label>`
  const group = (title, ...fields) => `<fieldset><legend>${title}</legend>${fields.join("")}</fieldset>`
  const CLASSES = ["fish", "butterfly"].flatMap((s) => ["striped", "spotted"].flatMap((t) => ["red", "blue"].map((c) => `${c} ${t} ${s}`)))
  const BACKGROUNDS = ["astronaut", "brick", "cat", "china", "coffee", "flower", "grass", "rocket", "grey", "white"]
  const radio = (value, label, on = "") => `<label><input type="radio" name="tool" value="${value}" ${on}>${label}</label>`
  const html =
    `<span class="live-answers">Try ${Object.keys(STORIES).map((story) => `<button type="button">${story}</button>`).join(" ")}</span>
    ${group("Pointer and arrow keys", radio("object", "move the object", "checked"), radio("patch", "move a grey patch"), radio("brush", "draw"))}
    ${group("Object", choice("colour", "Colour", ["red", "blue"]), choice("texture", "Texture", ["striped", "spotted"]), choice("shape", "Shape", ["fish", "butterfly", "none"]), choice("background", "On", BACKGROUNDS))}
    ${group("Place", slider("x", "Across", 32, SIDE), slider("y", "Down", 32, SIDE), slider("size", "Size", 18, 24, 10), slider("turn", "Turn", 0, 180, -180))}
    ${group("Patch", slider("patch", "Size", 0, 40), slider("px", "Across", 20, SIDE), slider("py", "Down", 32, SIDE))}
    ${group("Brush", '<label>Colour <input type="color" name="ink" value="#c0301c"></label>', slider("brush", "Size", 8, 24, 2), '<input type="hidden" name="drawn" value=""><button type="button" name="wipe">Wipe the drawing</button>')}
    ${group("Network", choice("network", "Trained on", [["scenes", "plain scenes"], ["scenes_watermarked", "scenes with a badge"]]), '<label><input type="checkbox" name="badge" value="on">Badge in the picture</label>')}
    ${group("Map", choice("map", "Shows", [["cam", "what speaks for"], ["signed", "what speaks for and against"], ["gradient", "where a pixel counts (gradient)"]]), choice("about", "the class", [["answer", "it answers"], ...CLASSES]), '<label><input type="checkbox" name="truth" value="on" checked>True outline</label>')}
    ${live.faders(80)}`
  return { STORIES, CLASSES, html }
})()
