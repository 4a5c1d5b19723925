// Cards of styles: a picture, a name, a title; one of them is chosen.
import { control, element } from "./dom.js";

/** Make the card of a style; its picture comes later. */
export function styleCard(style, isChosen) {
  const radio = control("input", { type: "radio", name: "style", value: style.name, checked: isChosen });
  const card = element("label", "style", radio, element("div", "blank"), element("b", "", style.name), element("small", "", style.title));
  card.title = style.title;
  return card;
}

/** Show a picture on a card. */
export function setPicture(card, address) {
  const image = card.querySelector("img") ?? control("img", { alt: "", draggable: false });
  if (image.getAttribute("src") !== address) image.src = address;
  card.querySelector(".blank")?.replaceWith(image);
}

/** Return the card of a style among cards. */
export const cardOf = (cards, name) => cards.querySelector(`input[value="${CSS.escape(name)}"]`)?.parentElement;

/** Return the name of the chosen style. */
export const chosenStyle = (cards) => cards.querySelector("input[name=style]:checked")?.value;
