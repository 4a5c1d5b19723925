// The look: style, blend, sliders, keep colours; and the pictures of every style on the frame.
import { $, element, settled } from "./dom.js";
import { Refusal, blob, post } from "./server.js";
import { PERCENT, doubling, slider } from "./sliders.js";
import { cardOf, chosenStyle, setPicture, styleCard } from "./styles.js";

const GRID_LINES = 160;
const MOMENTS = [0.1, 0.3, 0.5, 0.7, 0.9];
// Milliseconds without a change after which pictures are made again.
const SETTLING = 350;

export class Look {
  #changed;
  #drawing = new AbortController();
  #command = settled(120, () => this.#showCommand());
  #pictures = settled(SETTLING, () => this.#draw());
  #of = { clip: null, number: 0 };

  /** @param session what the server says of styles and defaults */
  constructor(session, { changed, told }) {
    this.session = session;
    this.#changed = changed;
    this.told = told;
    const { stroke_size: natural, detail, strength } = session.defaults;
    const act = () => this.#act();
    this.sliders = {
      stroke_size: slider("stroke_size", "Stroke size", doubling(...session.stroke_sizes), natural, act),
      detail: slider("detail", "Detail", PERCENT, detail, act),
      strength: slider("strength", "Strength", PERCENT, strength, act),
    };
    this.share = slider("share", "Share of the other style", PERCENT, 0.5, act);
    $("sliders").append(...Object.values(this.sliders).map((one) => one.row));
    $("blend-share").append(this.share.row);
    $("styles").append(...session.styles.map((style, index) => this.#card(style, index === 0)));
    for (const id of ["styles", "keep_colors", "blend-with"]) $(id).addEventListener("change", act);
    $("copy").addEventListener("click", () => this.#copy());
  }

  #card(style, isChosen) {
    const card = styleCard(style, isChosen);
    card.draggable = true;
    card.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/style", style.name));
    card.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("text/style")) return;
      event.preventDefault();
      card.classList.add("over");
    });
    card.addEventListener("dragleave", () => card.classList.remove("over"));
    card.addEventListener("drop", (event) => {
      card.classList.remove("over");
      const other = event.dataTransfer.getData("text/style");
      if (!other || other === style.name) return;
      event.preventDefault();
      this.#blend(style.name, other);
    });
    return card;
  }

  #blend(name, other) {
    if (this.#style(name).family !== this.#style(other).family) {
      this.told(`${name} and ${other} can't be blended: they do not descend from one style`);
      return;
    }
    this.#choose(name);
    this.#offerBlends();
    $("blend-with").value = other;
    this.share.value = 0.5;
    this.#act();
  }

  #style = (name) => this.session.styles.find((style) => style.name === name);

  #choose(name) {
    const card = cardOf($("styles"), name);
    if (card) card.querySelector("input").checked = true;
  }

  /** The style or blend as the command takes it. */
  get style() {
    const one = chosenStyle($("styles"));
    const other = $("blend-with").value;
    if (!one || !other) return one;
    const share = Math.round(100 * this.share.value);
    if (share === 0) return one;
    return share === 100 ? other : `${one}:${(100 - share) / 100}+${other}:${share / 100}`;
  }

  /** The look as a query has it; null where the library is empty. */
  get query() {
    return this.style ? this.of(this.style) : null;
  }

  /** The look of another style with the same settings. */
  of(style) {
    return {
      style,
      stroke_size: this.sliders.stroke_size.value,
      detail: this.sliders.detail.value,
      strength: this.sliders.strength.value,
      keep_colors: Number($("keep_colors").checked),
    };
  }

  /** All that is chosen, as text for the address. */
  get state() {
    return { ...this.of(chosenStyle($("styles")) ?? ""), blend: $("blend-with").value, share: this.share.value };
  }

  /** Choose what an address says. */
  restore(state) {
    if (state.has("style")) this.#choose(state.get("style"));
    for (const [name, one] of Object.entries(this.sliders)) if (state.has(name)) one.value = Number(state.get(name));
    $("keep_colors").checked = state.get("keep_colors") === "1";
    this.#offerBlends();
    if (state.get("blend")) $("blend-with").value = state.get("blend");
    if (state.has("share")) this.share.value = Number(state.get("share"));
    this.#describe();
  }

  #act() {
    this.#offerBlends();
    this.#describe();
    this.#changed();
    this.showOn(this.#of.clip, this.#of.number);
  }

  #offerBlends() {
    const one = this.#style(chosenStyle($("styles")));
    const others = this.session.styles.filter((style) => style !== one && style.family === one?.family);
    const chosen = $("blend-with").value;
    $("blend-with").replaceChildren(new Option("no other style", ""), ...others.map((style) => new Option(style.name, style.name)));
    if (others.some((style) => style.name === chosen)) $("blend-with").value = chosen;
    $("blend").hidden = !others.length;
    $("blend-share").hidden = !$("blend-with").value;
  }

  #describe() {
    const one = this.#style(chosenStyle($("styles")));
    $("style-title").textContent = this.style ?? "No style";
    const { artist, title, year } = one?.painting ?? {};
    $("painting").textContent = one ? `${artist}, ${title}, ${year}` : "Train one: brushreel train";
    this.#command();
  }

  async #showCommand() {
    if (!this.#of.clip || !this.query) return;
    try {
      await showCommand($("command"), { clip: this.#of.clip.id, look: this.query });
    } catch (error) {
      this.told(error.message);
    }
  }

  async #copy() {
    await navigator.clipboard.writeText($("command").textContent.trim()).catch(() => getSelection().selectAllChildren($("command")));
    $("copy").textContent = "Copied";
    setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
  }

  /** Show the command line for a clip. */
  on(clip) {
    this.#of = { clip, number: 0 };
    this.#command();
  }

  /** Make the pictures of a clip's frame in every style, the chosen one first. */
  showOn(clip, number) {
    this.#drawing.abort();
    this.#of = { clip, number };
    this.#command();
    if (clip) this.#pictures();
  }

  /** Stop making pictures: the clip plays. */
  rest() { this.#drawing.abort(); }

  async #draw() {
    const { clip, number } = this.#of;
    const drawing = new AbortController();
    this.#drawing.abort();
    this.#drawing = drawing;
    const names = this.session.styles.map((style) => style.name);
    const first = chosenStyle($("styles"));
    $("moments").hidden = false;
    const strip = MOMENTS.map((share) => moment(Math.floor(share * clip.frames), clip));
    const get = async (at, look) => {
      const query = new URLSearchParams({ ...look, lines: GRID_LINES });
      return URL.createObjectURL(await blob(`clips/${clip.id}/${at}.jpg?${query}`, { signal: drawing.signal }));
    };
    try {
      for (const name of [first, ...names.filter((name) => name !== first)]) {
        if (name) show(cardOf($("styles"), name), await get(number, this.of(name)));
      }
      $("strip").replaceChildren(...strip.map(({ button }) => button));
      for (const { button, at } of this.query ? strip : []) show(button, await get(at, this.query));
    } catch (error) {
      if (error instanceof Refusal) this.told(error.message);
    }
  }
}

/** Show the command line of what is chosen. */
export async function showCommand(place, chosen) {
  const { words } = await (await post("command", chosen)).json();
  // A line breaks between words only.
  place.replaceChildren(...words.flatMap((word) => [element("span", "", word), " "]));
}

function moment(at, clip) {
  const button = element("button", "", element("div", "blank"), `${(at / clip.rate).toFixed(1)} s`);
  button.type = "button";
  button.dataset.frame = at;
  button.setAttribute("aria-label", `${(at / clip.rate).toFixed(1)} s: go to frame ${at}`);
  return { button, at };
}

function show(card, address) {
  const old = card.querySelector("img")?.src;
  setPicture(card, address);
  if (old?.startsWith("blob:")) URL.revokeObjectURL(old);
}
