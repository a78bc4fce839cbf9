/* What Unfold's frame lacks for the keyboard, for screen readers, and for a keyboard that types Cyrillic. */
(() => {
    "use strict";

    const isRussian = document.documentElement.lang.startsWith("ru");
    const WORDS = isRussian
        ? { start: "Главная", sidebar: "Показать или скрыть меню", actions: "Действия", theme: "Оформление", filters: "Фильтры", palette: "Найти выплату", clear: "Очистить", shortcuts: "Сочетания клавиш", search: "Искать", lines: "Подробности", password: "Показать или скрыть пароль" }
        : { start: "Home", sidebar: "Show or hide the menu", actions: "Actions", theme: "Theme", filters: "Filters", palette: "Find a payout", clear: "Clear", shortcuts: "Shortcuts", search: "Search", lines: "Details", password: "Show or hide the password" };
    // What Unfold's controls that show an icon alone are for, by the icon's name.
    const ICONS = {
        payments: WORDS.start, dock_to_right: WORDS.sidebar, more_horiz: WORDS.actions, more_vert: WORDS.actions, close: WORDS.clear, search: WORDS.search,
        light_mode: WORDS.theme, dark_mode: WORDS.theme, computer: WORDS.theme, expand_more: WORDS.lines, chevron_right: WORDS.lines, visibility: WORDS.password, visibility_off: WORDS.password,
    };
    const ICON = ".material-symbols-outlined";
    const CLICKED = ":is(a:not([href]), span, div)[x-on\\:click]:not(#changelist-filter-close)";

    const all = (selector) => document.querySelectorAll(selector);
    const isField = (element) => element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

    function mend() {
        // An icon is a word in a font of its own: it would be read out.
        all(`${ICON}:not([role]):not([aria-hidden])`).forEach((icon) => {
            if (!icon.matches(CLICKED)) {
                icon.setAttribute("aria-hidden", "true");
            }
        });
        // Spans and links without an address that do something when clicked.
        all(`${CLICKED}:not([role])`).forEach((element) => {
            element.setAttribute("role", "button");
            element.tabIndex = 0;
        });
        all("[role=button], button, a[href]").forEach((element) => {
            const icon = element.matches(ICON) ? element : element.querySelector(ICON);
            const label = icon && ICONS[icon.textContent.trim()];
            if (label && element.textContent.trim() === icon.textContent.trim() && !element.hasAttribute("aria-label")) {
                element.setAttribute("aria-label", label);
            }
        });
        all("#nav-sidebar a.active").forEach((link) => { link.setAttribute("aria-current", "page"); });
        named("#command-submit", WORDS.search);
        named("#search-input-command", WORDS.palette);
        dialog("#changelist-filter > div:not([id])", WORDS.filters);
        dialog("[x-show=openCommandResults] > div", WORDS.palette);
        dialog("[x-show=shortcutsOpen] > div", WORDS.shortcuts);
    }

    function named(selector, label) {
        all(selector).forEach((element) => { element.setAttribute("aria-label", label); });
    }

    function dialog(selector, label) {
        all(selector).forEach((element) => {
            element.setAttribute("role", "dialog");
            element.setAttribute("aria-modal", "true");
        });
        named(selector, label);
    }

    document.addEventListener("DOMContentLoaded", () => {
        // Unfold's listener looks for a text field beside each file field, and ours has none.
        all("input.po-file").forEach((input) => { input.hasChangeListener = true; });
        mend();
    });
    document.addEventListener("alpine:initialized", mend);
    document.addEventListener("htmx:afterSettle", mend);

    document.addEventListener("keydown", (event) => {
        const isPressed = event.code === "Enter" || event.code === "NumpadEnter" || event.code === "Space";
        if (isPressed && event.target.matches("[role=button]:not(button):not(a[href])")) {
            event.preventDefault();
            event.target.click();
        }
    });

    // The sheet of filters takes the focus when it opens, and gives it back when it closes.
    document.addEventListener("click", (event) => {
        const opener = event.target.closest(".filter-open-button");
        if (opener) {
            opener.focus({ preventScroll: true });
            window.setTimeout(() => {
                const first = document.querySelector("#filter-form select, #filter-form input:not([type=hidden])");
                if (first) {
                    first.focus({ preventScroll: true });
                }
            }, 100);
        }
    });

    // Unfold's shortcuts ask for a Latin letter: the same key of a Cyrillic layout is told to them as that letter.
    const LATIN = { KeyK: "k", KeyF: "f", KeyC: "c", KeyE: "e", BracketLeft: "[", Slash: "/" };
    const isCyrillic = (event) => /[\u0400-\u04ff]/.test(event.key) || (event.code === "Slash" && [".", ","].includes(event.key));
    window.addEventListener("keydown", (event) => {
        if (!event.isTrusted || !LATIN[event.code] || !isCyrillic(event) || event.altKey) {
            return;
        }
        if (isField(event.target) && !(event.ctrlKey || event.metaKey)) {
            return;
        }
        event.stopImmediatePropagation();
        const key = event.code === "Slash" && event.shiftKey ? "?" : LATIN[event.code];
        const { code, ctrlKey, metaKey, shiftKey } = event;
        const told = new KeyboardEvent("keydown", { key, code, ctrlKey, metaKey, shiftKey, bubbles: true, cancelable: true });
        if (!event.target.dispatchEvent(told)) {
            event.preventDefault();
        }
    }, { capture: true });
})();
