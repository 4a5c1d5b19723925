// The list of clips: thumbnails, search, choice, dropped files.
import { $, control, element } from "./dom.js";
import { ask, json, upload } from "./server.js";

export class Clips {
  #items = [];
  #seen = new IntersectionObserver((entries) => this.#load(entries), { root: $("clips"), rootMargin: "200px" });

  /** @param choose is called with the id of the chosen clip, listed with all clips, told with errors; takes is asked whether somebody else takes a dropped file */
  constructor({ choose, listed, takes, told }) {
    Object.assign(this, { choose, listed, takes, told, chosen: null });
    $("search").addEventListener("input", () => this.#show());
    $("clips").addEventListener("click", (event) => {
      const id = event.target.closest(".clip")?.dataset.id;
      if (event.target.closest("button")) this.#remove(id);
      else if (id) this.select(id);
    });
    $("clips").addEventListener("keydown", (event) => this.#move(event));
    $("refresh").addEventListener("click", () => this.look());
    $("files").addEventListener("change", () => this.#take([...$("files").files]));
    $("drop").addEventListener("keydown", (event) => { if (event.key === "Enter") $("files").click(); });
    addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
    addEventListener("drop", (event) => {
      document.body.classList.remove("dropping");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      droppedFiles(event.dataTransfer).then((files) => this.#take(files.filter((file) => !this.takes(file))));
    });
  }

  /** Look for clips again. */
  async look() {
    try {
      this.#items = await json("clips");
      this.listed(this.#items);
    } catch (error) {
      this.told(error.message);
    }
    this.#show();
  }

  get first() { return this.#items[0]?.id; }

  has(id) { return this.#items.some((item) => item.id === id); }

  /** Choose a clip. */
  select(id) {
    this.mark(id);
    this.choose(id);
  }

  /** Show which clip is chosen. */
  mark(id) {
    this.chosen = id;
    for (const row of $("clips").children) row.setAttribute("aria-selected", row.dataset.id === id);
    const row = $("clips").querySelector(`[data-id="${id}"]`);
    row?.scrollIntoView({ block: "nearest" });
    if (row) $("clips").setAttribute("aria-activedescendant", row.id);
  }

  #show() {
    const words = $("search").value.toLowerCase().split(/\s+/);
    const shown = this.#items.filter((item) => words.every((word) => item.name.toLowerCase().includes(word)));
    $("no-clips").hidden = shown.length > 0;
    this.#seen.disconnect();
    $("clips").replaceChildren(...shown.map((item) => this.#row(item)));
    for (const row of $("clips").children) this.#seen.observe(row);
  }

  #row(item) {
    const [name, ...folders] = item.name.split("/").reverse();
    const where = item.dropped ? "dropped" : folders.reverse().join("/");
    const row = element("div", "clip", element("div", "blank"), element("span", "", name, where && element("small", "", where)));
    row.id = `clip-${item.id}`;
    row.dataset.id = item.id;
    row.title = item.name;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", item.id === this.chosen);
    if (item.dropped) row.append(control("button", { type: "button", className: "icon", title: "Remove the dropped copy", tabIndex: -1 }, "×"));
    return row;
  }

  #load(entries) {
    for (const { isIntersecting, target } of entries) {
      const blank = target.querySelector(".blank");
      if (!isIntersecting || !blank) continue;
      this.#seen.unobserve(target);
      const image = control("img", { alt: "", src: `clips/${target.dataset.id}/thumbnail.jpg` });
      image.onload = () => blank.replaceWith(image);
    }
  }

  #move(event) {
    const rows = [...$("clips").children];
    const at = rows.findIndex((row) => row.dataset.id === this.chosen);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || !rows[to]) return;
    event.preventDefault();
    event.stopPropagation();
    this.select(rows[to].dataset.id);
  }

  async #take(files) {
    if (!files.length) return;
    $("uploading").hidden = false;
    let last = null;
    for (const file of files) {
      try {
        last = await upload(file, (share) => { $("uploading").value = share; });
      } catch (error) {
        this.told(error.message);
      }
    }
    $("uploading").hidden = true;
    $("files").value = "";
    await this.look();
    if (last) this.select(last.id);
  }

  async #remove(id) {
    try {
      await ask(`clips/${id}`, { method: "DELETE" });
    } catch (error) {
      this.told(error.message);
    }
    await this.look();
  }
}

/** Return the files of a drop, those of its folders included. */
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) break;
    found.push(...some);
  }
  const shown = found.filter(({ name }) => !name.startsWith("."));
  return (await Promise.all(shown.map(filesOf))).flat();
}
