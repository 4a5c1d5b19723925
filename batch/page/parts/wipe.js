// The wipe: source and stylized frame in one place, with a line between them that is dragged.
import { $ } from "./dom.js";

function set(share) {
  const percent = Math.round(100 * Math.min(1, Math.max(0, share)));
  $("picture").style.setProperty("--wipe", `${percent}%`);
  $("wipe").setAttribute("aria-valuenow", percent);
}

/**
 * Let the line be dragged, and moved by arrow keys.
 *
 * @param isShown returns whether the wipe is the view that is shown
 */
export function listenToWipe(isShown) {
  const drag = (event) => {
    const { left, width } = $("picture").getBoundingClientRect();
    set((event.clientX - left) / width);
  };
  $("picture").addEventListener("pointerdown", (event) => {
    if (!isShown()) return;
    $("picture").setPointerCapture(event.pointerId);
    drag(event);
    $("picture").addEventListener("pointermove", drag);
  });
  for (const end of ["pointerup", "pointercancel"]) $("picture").addEventListener(end, () => $("picture").removeEventListener("pointermove", drag));
  $("wipe").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -2, ArrowRight: 2, Home: -100, End: 100 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    set((Number($("wipe").getAttribute("aria-valuenow")) + by) / 100);
  });
}
