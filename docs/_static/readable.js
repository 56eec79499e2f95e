// What Sphinx's and furo's markup leaves out for who uses no mouse, or no eyes.
"use strict";

const NAMES = { ".sidebar-drawer": "All pages", ".toc-drawer": "On this page" };
for (const [place, name] of Object.entries(NAMES)) {
  document.querySelector(place)?.setAttribute("aria-label", name);
}
for (const caption of document.querySelectorAll("p.caption[role=heading]")) {
  caption.setAttribute("aria-level", "2");
}

// What is wider than its place can be moved by the keyboard, too.
function letScroll() {
  for (const box of document.querySelectorAll("pre, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
letScroll();
addEventListener("resize", letScroll);
