/* Ctrl+K: Enter without an arrow opens the first result, as soon as there is one for what was typed. */
(() => {
    "use strict";

    let answered = null; // the term that the shown results are for
    let isWanted = false;
    const field = () => document.getElementById("search-input-command");

    function open() {
        const link = document.querySelector("#command-results-list li a[href]");
        isWanted = false;
        if (link) {
            window.location.assign(link.href);
        }
    }

    document.addEventListener("keydown", (event) => {
        if (event.target !== field() || event.code !== "Enter" && event.code !== "NumpadEnter" || event.ctrlKey || event.metaKey) {
            return;
        }
        if (document.querySelector("#command-results-list li.active") || !field().value.trim()) {
            return; // an arrow has chosen one
        }
        if (answered === field().value) {
            open();
        } else {
            isWanted = true;
        }
    });

    document.addEventListener("input", (event) => {
        if (event.target === field()) {
            isWanted = false;
        }
    });

    document.addEventListener("htmx:afterSwap", (event) => {
        if (event.detail.target && event.detail.target.id === "command-results") {
            answered = new URL(event.detail.pathInfo.finalRequestPath, window.location.href).searchParams.get("s");
            if (isWanted && answered === field().value) {
                open();
            }
        }
    });
})();
