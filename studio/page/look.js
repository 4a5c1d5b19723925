// The look: style, blend, sliders, keep colours; and the pictures of every style on the frame.
import { $, element, settled } from "./dom.js";
import { copies, showCommand } from "./options.js";
import { Refusal, blob } from "./server.js";
import { PERCENT, doubling, slider } from "./sliders.js";
import { cardOf, chosenStyle, setPicture, styleCard } from "./styles.js";

const GRID_LINES = 160;
const MOMENTS = [0.1, 0.3, 0.5, 0.7, 0.9];
// Milliseconds without a change after which pictures are made again.
const SETTLING = 350;
// Milliseconds after which the camera's pictures are made again.
const SHOOTING = 8000;

export class Look {
  #changed;
  #drawing = new AbortController();
  #command = settled(120, () => this.#showCommand());
  #pictures = settled(SETTLING, () => this.#draw());
  #of = { clip: null, number: 0 };
  #shoot = null;

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
    copies($("copy"), $("command"));
  }

  /** Show other styles, after the library has changed; the choice stays where it can. */
  update(session) {
    const chosen = chosenStyle($("styles"));
    const kept = session.styles.some(({ name }) => name === chosen);
    this.session = session;
    for (const card of $("styles").querySelectorAll(".style")) card.remove();
    $("styles").append(...session.styles.map((style, index) => this.#card(style, kept ? style.name === chosen : index === 0)));
    this.#act();
  }

  /** Choose a style. */
  choose(name) {
    this.#choose(name);
    $("blend-with").value = "";
    this.#act();
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
    if (this.#shoot) this.#pictures();
    else this.showOn(this.#of.clip, this.#of.number);
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
    $("painting").textContent = one ? `${artist}, ${title}, ${year}` : "Train one: see Train above";
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

  /** Show the command line for a clip. */
  on(clip) {
    this.#shoot = null;
    this.#of = { clip, number: 0 };
    this.#command();
  }

  /** Make the pictures of the camera's frame in every style, and again now and then. */
  showCamera(shoot) {
    this.#drawing.abort();
    this.#of = { clip: null, number: 0 };
    this.#shoot = shoot;
    $("moments").hidden = true;
    this.#pictures();
  }

  /** Make the pictures of a clip's frame in every style, the chosen one first. */
  showOn(clip, number) {
    this.#drawing.abort();
    this.#shoot = null;
    this.#of = { clip, number };
    this.#command();
    if (clip) this.#pictures();
  }

  /** Stop making pictures: the clip plays. */
  rest() {
    this.#drawing.abort();
    this.#shoot = null;
  }

  async #draw() {
    const drawing = new AbortController();
    this.#drawing.abort();
    this.#drawing = drawing;
    const { signal } = drawing;
    try {
      if (this.#shoot) await this.#drawCamera(signal);
      else await this.#drawClip(signal);
    } catch (error) {
      if (error instanceof Refusal) this.told(error.message);
    }
  }

  async #drawCamera(signal) {
    const body = await this.#shoot();
    if (!body || signal.aborted) return;
    await this.#drawStyles((look) => picture(`camera.jpg?${query(look)}`, { method: "POST", body, signal }));
    setTimeout(() => { if (!signal.aborted && this.#shoot) this.#draw(); }, SHOOTING);
  }

  async #drawClip(signal) {
    const { clip, number } = this.#of;
    if (!clip) return;
    $("moments").hidden = false;
    const strip = MOMENTS.map((share) => moment(Math.floor(share * clip.frames), clip));
    const get = (at, look) => picture(`clips/${clip.id}/${at}.jpg?${query(look)}`, { signal });
    await this.#drawStyles((look) => get(number, look));
    $("strip").replaceChildren(...strip.map(({ button }) => button));
    for (const { button, at } of this.query ? strip : []) show(button, await get(at, this.query));
  }

  async #drawStyles(get) {
    const names = this.session.styles.map((style) => style.name);
    const first = chosenStyle($("styles"));
    for (const name of [first, ...names.filter((name) => name !== first)]) {
      const address = name && await get(this.of(name));
      const card = name && cardOf($("styles"), name);
      if (card) show(card, address);
    }
  }
}

const query = (look) => new URLSearchParams({ ...look, lines: GRID_LINES });
const picture = async (address, options) => URL.createObjectURL(await blob(address, options));

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
