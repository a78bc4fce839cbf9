/* Dialogs over Unfold's modal: never another record's form, never two submits, never a silent failure. */
(() => {
    "use strict";

    let loading = null;
    const modal = () => document.getElementById("modal-content");
    const opens = (event) => event.detail.target && event.detail.target.id === "modal-content";
    const inDialog = (event) => event.detail.elt && event.detail.elt.closest && event.detail.elt.closest("#dialog");
    const words = () => {
        const isRussian = document.documentElement.lang.startsWith("ru");
        return isRussian
            ? { refused: "Действие недоступно: обновите страницу.", lost: "Нет связи с сервером. Обновите страницу и посмотрите, что изменилось.", copied: "Скопировано", tooLarge: (size) => `Файл больше ${size} МБ: разделите его.` }
            : { refused: "This cannot be done: reload the page.", lost: "The server cannot be reached. Reload the page and see what has changed.", copied: "Copied", tooLarge: (size) => `The file is larger than ${size} MB: split it.` };
    };

    function say(text) {
        const place = modal();
        const body = place.querySelector(".po-dialog-body") || place;
        body.querySelectorAll("[data-failure]").forEach((old) => old.remove());
        const alert = document.createElement("p");
        alert.className = "po-alert";
        alert.setAttribute("role", "alert");
        alert.dataset.failure = "1";
        alert.textContent = text;
        if (body === place) {
            alert.style.margin = "1rem";
        }
        body.prepend(alert);
    }

    document.addEventListener("change", (event) => {
        const input = event.target;
        if (!input.matches("input[type=file][data-most-bytes]")) {
            return;
        }
        const most = Number(input.dataset.mostBytes);
        const isTooLarge = [...input.files].some((file) => file.size > most);
        input.setCustomValidity(isTooLarge ? words().tooLarge(most / 1024 ** 2) : "");
        input.reportValidity();
    });

    document.addEventListener("htmx:beforeRequest", (event) => {
        if (!opens(event)) {
            return;
        }
        if (loading) {
            loading.abort();
        }
        loading = event.detail.xhr;
        modal().replaceChildren();
    });

    document.addEventListener("htmx:afterRequest", (event) => {
        if (opens(event) && loading === event.detail.xhr) {
            loading = null;
        }
        // The page is about to change: the button stays locked until it does.
        if (inDialog(event) && event.detail.xhr && event.detail.xhr.getResponseHeader("HX-Redirect")) {
            const button = modal().querySelector("button[type=submit]");
            if (button) {
                requestAnimationFrame(() => { button.disabled = true; });
            }
        }
    });

    document.addEventListener("htmx:responseError", (event) => {
        if (opens(event) || inDialog(event)) {
            say(event.detail.xhr.status >= 500 ? words().lost : words().refused);
        }
    });

    document.addEventListener("htmx:sendError", (event) => {
        if (opens(event) || inDialog(event)) {
            say(words().lost);
        }
    });

    document.addEventListener("htmx:afterSettle", () => {
        const place = modal();
        if (!place || !place.contains(document.getElementById("dialog"))) {
            return;
        }
        const first = place.querySelector("textarea, input:not([type=hidden]), select, a.po-button");
        if (first) {
            first.focus({ preventScroll: true });
        }
    });

    // A dialog that is closed keeps nothing: it may have shown a recipient in clear.
    document.addEventListener("keydown", (event) => {
        if (event.code === "Escape" && modal() && modal().querySelector("[data-revealed]")) {
            window.location.reload();
        }
    });

    // The payout is being paid at this moment: look again, unless somebody is in a dialog.
    const lookAgain = () => {
        if (document.querySelector("[data-about-to-change]") && !document.getElementById("dialog") && !document.hidden) {
            window.location.reload();
        }
    };
    window.setInterval(lookAgain, 2000);

    // A second click on a slow upload would send it twice.
    document.addEventListener("submit", (event) => {
        if (event.target.matches("[data-once]")) {
            event.target.querySelectorAll("button[type=submit]").forEach((button) => { button.disabled = true; });
        }
    });
    // Back from the page that followed: the form can be sent again.
    window.addEventListener("pageshow", () => {
        document.querySelectorAll("[data-once] button[type=submit]").forEach((button) => { button.disabled = false; });
    });

    // What stands behind the # of a password link; out of the address bar, where others could read it.
    document.addEventListener("DOMContentLoaded", () => {
        const asking = document.querySelector("form[data-code-from-link]");
        if (asking && window.location.hash.length > 1) {
            asking.elements.code.value = window.location.hash.slice(1);
            window.history.replaceState(null, "", window.location.pathname);
            asking.requestSubmit();
        }
    });

    document.addEventListener("click", (event) => {
        const close = event.target.closest("[data-close-dialog]");
        if (close && modal() && modal().contains(close)) {
            event.preventDefault();
            window.dispatchEvent(new CustomEvent("close-dialog"));
        }
        const copy = event.target.closest("[data-copy]");
        if (copy && navigator.clipboard) {
            navigator.clipboard.writeText(copy.dataset.copy).then(() => { copy.title = words().copied; });
        }
    });
})();
