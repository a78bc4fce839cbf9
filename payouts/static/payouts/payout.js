/* The payout's page: tabs. The new payout: the fields of its kind, and what is wrong with them as they are typed. */
(() => {
    "use strict";

    // Tabs, as in the ARIA Authoring Practices Guide. Without this script all panels are there, one under another.
    function show(list, chosen, hasFocus) {
        list.querySelectorAll("[role=tab]").forEach((tab) => {
            const isChosen = tab === chosen;
            tab.setAttribute("aria-selected", String(isChosen));
            tab.tabIndex = isChosen ? 0 : -1;
            document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
        });
        if (hasFocus) {
            chosen.focus();
        }
    }

    function beginTabs(list) {
        const tabs = [...list.querySelectorAll("[role=tab]")];
        list.hidden = false;
        show(list, tabs[0], false);
        list.addEventListener("click", (event) => {
            const tab = event.target.closest("[role=tab]");
            if (tab) {
                show(list, tab, true);
            }
        });
        list.addEventListener("keydown", (event) => {
            const steps = { ArrowRight: 1, ArrowLeft: -1 };
            const place = tabs.indexOf(document.activeElement);
            if (event.code in steps && place >= 0) {
                event.preventDefault();
                show(list, tabs[(place + steps[event.code] + tabs.length) % tabs.length], true);
            }
        });
    }

    function beginEntry(form) {
        const notes = form.querySelector("[data-entry-notes]");
        let timer = 0;
        let asked = 0;

        function showKind() {
            const chosen = form.querySelector("[name=kind]:checked");
            form.querySelectorAll("[data-kinds]").forEach((part) => {
                part.hidden = !chosen || !part.dataset.kinds.split(" ").includes(chosen.value);
            });
        }

        function place(name) {
            const input = form.querySelector(`[name=${name}]`);
            if (!input) {
                return null;
            }
            let said = document.getElementById(`said-${name}`);
            if (!said) {
                said = document.createElement("p");
                said.id = `said-${name}`;
                said.className = "po-said";
                said.setAttribute("role", "status");
                const after = input.type === "radio" ? input.closest("ul, div") : input;
                after.insertAdjacentElement("afterend", said);
                input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby") || ""} said-${name}`.trim());
            }
            return { input, said };
        }

        function say(errors) {
            new Set([...form.elements].map((element) => element.name)).forEach((name) => {
                if (!name || ["csrfmiddlewaretoken", "reference"].includes(name)) {
                    return;
                }
                if (!(name in errors) && !document.getElementById(`said-${name}`)) {
                    return;
                }
                const { input, said } = place(name);
                said.textContent = errors[name] || "";
                input.setAttribute("aria-invalid", String(name in errors));
            });
        }

        async function check() {
            const turn = ++asked;
            try {
                const answer = await fetch(form.dataset.entry, { method: "POST", body: new FormData(form) });
                if (!answer.ok) {
                    throw new Error(String(answer.status));
                }
                const found = await answer.json();
                if (turn !== asked) {
                    return;
                }
                say(found.errors);
                if (found.notes.length) {
                    notes.replaceChildren(...found.notes.map((text, number) => {
                        const line = document.createElement(number ? "p" : "strong");
                        line.textContent = text;
                        return line;
                    }));
                }
            } catch {
                if (turn === asked) {
                    notes.textContent = notes.dataset.lost;
                }
            }
        }

        form.addEventListener("input", () => {
            window.clearTimeout(timer);
            timer = window.setTimeout(check, 400);
        });
        form.addEventListener("change", showKind);
        showKind();
        // Somebody may have typed before this script was there.
        if ([...form.elements].some((element) => "defaultValue" in element && element.value !== element.defaultValue)) {
            check();
        }
    }

    document.addEventListener("DOMContentLoaded", () => {
        document.querySelectorAll("[data-tabs]").forEach(beginTabs);
        document.querySelectorAll("form[data-entry]").forEach(beginEntry);
    });
})();
