// The page of the catalog. Everything that is shown is set as text; the graphs alone are markup,
// made and escaped when the catalog was written.
"use strict";
(() => {
  const stored = new Map();
  const waiting = new Map();
  const TABS = [["graph", "Graph"], ["parameters", "Parameters"], ["source", "Source"], ["findings", "Findings"], ["diff", "Compare"]];
  const $ = (id) => document.getElementById(id);
  let index = null;

  // Data come as scripts, since a page that was opened from a folder may not fetch files.
  window.kfpCatalog = (kind, key, data) => {
    stored.set(`${kind} ${key}`, data);
    if (kind === "index") start(data);
  };

  function load(kind, key) {
    const name = `${kind} ${key}`;
    if (stored.has(name)) return Promise.resolve(stored.get(name));
    if (!waiting.has(name)) {
      waiting.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${key}.js`;
        script.onload = () => resolve(stored.get(name));
        script.onerror = () => { waiting.delete(name); reject(new Error(`data/${key}.js cannot be read`)); };
        document.head.append(script);
      }));
    }
    return waiting.get(name);
  }

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element && !name.startsWith("aria-")) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  function start(data) {
    index = data;
    const choice = $("environment");
    if (data.environments.length) {
      choice.append(make("option", { value: "" }, "all environments"));
      for (const each of data.environments) choice.append(make("option", { value: each }, each));
      choice.hidden = false;
      document.querySelector("label[for=environment]").hidden = false;
    }
    $("search").addEventListener("input", list);
    choice.addEventListener("change", list);
    document.addEventListener("keydown", keys);
    window.addEventListener("hashchange", show);
    list();
    show();
  }

  function keys(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      $("search").focus();
    } else if (event.key === "Escape" && document.activeElement === $("search")) {
      $("search").value = "";
      list();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && document.activeElement.closest("nav") && document.activeElement.tagName !== "SELECT") {
      const links = [...$("list").querySelectorAll("a")];
      const at = links.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      if (at < 0) $("search").focus();
      else if (links[at]) links[at].focus();
      event.preventDefault();
    }
  }

  function list() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const environment = $("environment").value;
    const found = index.pipelines.filter((each) => {
      const text = [each.name, each.displayName, each.description, each.words].join(" ").toLowerCase();
      return words.every((word) => text.includes(word)) && (!environment || each.environments.includes(environment));
    });
    $("count").textContent = `${found.length} of ${index.pipelines.length} pipelines`;
    const current = route().pipeline;
    $("list").replaceChildren(...found.map((each) => {
      const link = make("a", { href: address(each.name) }, each.displayName || each.name);
      if (each.name === current) link.setAttribute("aria-current", "page");
      if (each.displayName && each.displayName !== each.name) link.append(" ", make("small", {}, each.name));
      return make("li", {}, link);
    }));
  }

  function address(...parts) {
    return `#/${parts.map(encodeURIComponent).join("/")}`;
  }

  function route() {
    const parts = location.hash.replace(/^#\/?/, "").split("/").map((part) => {
      try { return decodeURIComponent(part); } catch { return part; }
    });
    return { pipeline: parts[0] || "", version: parts[1] || "", tab: parts[2] || "graph", other: parts[3] || "" };
  }

  let shown = 0;
  async function show() {
    if (location.hash === "#main") return;
    const turn = ++shown;
    const where = route();
    for (const link of $("list").querySelectorAll("a")) {
      if (where.pipeline && link.getAttribute("href") === address(where.pipeline)) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const row = index.pipelines.find((each) => each.name === where.pipeline);
    let page;
    try {
      page = row ? await pipeline(row, where) : overview(where);
    } catch (error) {
      page = [make("p", { className: "error", role: "alert" }, String(error.message || error))];
    }
    // Somebody may have gone on while the data were loading.
    if (turn === shown) {
      $("main").replaceChildren(...page);
      document.title = row ? `${row.displayName || row.name} · ${index.title}` : index.title;
    }
  }

  function overview(where) {
    const rows = index.pipelines.map((each) => make("tr", {},
      make("td", {}, make("a", { href: address(each.name) }, each.displayName || each.name)),
      make("td", {}, each.newest), make("td", {}, String(each.versions)),
      make("td", {}, ...badges(each.environments)), make("td", {}, each.description)));
    const head = ["pipeline", "newest version", "versions", "environments", "description"].map((each) => make("th", { scope: "col" }, each));
    const missing = where.pipeline ? [make("p", { className: "error", role: "alert" }, `There is no pipeline ${where.pipeline}.`)] : [];
    return [...missing, make("h2", {}, "Pipelines"), make("div", { className: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)))];
  }

  function badges(names) {
    return names.map((each) => make("span", { className: "badge" }, each));
  }

  async function pipeline(row, where) {
    const details = await load("pipeline", row.id);
    const at = Math.max(details.versions.findIndex((each) => each.name === where.version), 0);
    const version = details.versions[at];
    const page = [make("h2", {}, row.displayName || row.name), make("p", { className: "quiet" }, row.name, details.namespace ? ` in ${details.namespace}` : "")];
    if (row.description) page.push(make("p", {}, row.description));
    if (!version) return [...page, make("p", {}, "It has no version.")];
    const picker = select("Version", details.versions.map((each) => each.name), version.name, (name) => address(row.name, name, where.tab));
    page.push(make("div", { className: "pickers" }, picker, make("p", { className: "quiet" }, version.sequence ? `number ${version.sequence} ` : "", ...badges(version.environments))));
    const tabs = TABS.map(([name, title]) => {
      const link = make("a", { href: address(row.name, version.name, name) }, title);
      if (name === where.tab) link.setAttribute("aria-current", "page");
      return link;
    });
    page.push(make("div", { className: "tabs", role: "navigation", "aria-label": "Views" }, ...tabs));
    const data = await load("version", `${row.id}-${at}`);
    const views = { graph, parameters, source, findings };
    if (where.tab === "diff") page.push(...await compare(row, details, at, where));
    else page.push(...(views[where.tab] || graph)(data));
    return page;
  }

  function select(label, names, chosen, target) {
    const choice = make("select", {}, ...names.map((each) => make("option", { value: each, selected: each === chosen }, each)));
    choice.addEventListener("change", () => { location.hash = target(choice.value); });
    return make("label", {}, label, choice);
  }

  function graph(data) {
    const place = make("div");
    place.innerHTML = data.graph;
    return [place];
  }

  function parameters(data) {
    if (!data.parameters.length) return [make("p", {}, "It has no inputs.")];
    const head = ["input", "type", "default", "description"].map((each) => make("th", { scope: "col" }, each));
    const rows = data.parameters.map((each) => make("tr", {},
      make("td", {}, each.name), make("td", {}, each.type),
      make("td", {}, "default" in each ? make("code", {}, JSON.stringify(each.default)) : each.optional ? "optional" : "required"),
      make("td", {}, each.description)));
    return [make("div", { className: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)))];
  }

  function source(data) {
    const tasks = Object.entries(data.sources);
    if (!tasks.length) return [make("p", {}, "It runs no container.")];
    return tasks.flatMap(([task, each]) => [make("h3", {}, task), make("p", { className: "quiet" }, "image ", make("code", {}, each.image)), make("pre", { tabIndex: 0 }, each.text)]);
  }

  function findings(data) {
    if (!data.findings.length) return [make("p", {}, "Nothing to say.")];
    return [make("ul", {}, ...data.findings.map((each) => make("li", {},
      make("strong", { className: each.severity }, each.severity), ` ${each.message}`, each.hint ? ` ${each.hint}` : "", " ", make("small", { className: "quiet" }, each.rule))))];
  }

  async function compare(row, details, at, where) {
    const names = details.versions.map((each) => each.name);
    const other = names.includes(where.other) ? names.indexOf(where.other) : Math.min(at + 1, names.length - 1);
    const picker = select("with", names, names[other], (name) => address(row.name, names[at], "diff", name));
    const page = [make("div", { className: "pickers" }, picker)];
    const [before, after] = await Promise.all([load("version", `${row.id}-${other}`), load("version", `${row.id}-${at}`)]);
    const rows = [];
    const keys = [...new Set([...Object.keys(before.facts), ...Object.keys(after.facts)])].sort();
    for (const key of keys) {
      const was = before.facts[key], now = after.facts[key];
      if (JSON.stringify(was) === JSON.stringify(now)) continue;
      const texts = typeof was === "string" && typeof now === "string" && (was + now).includes("\n");
      const cell = texts ? make("td", { colSpan: 2 }, lines(was, now)) : null;
      rows.push(make("tr", {}, make("td", {}, key), ...(cell ? [cell] : [value(was, "del"), value(now, "add")])));
    }
    if (!rows.length) return [...page, make("p", { id: "changes" }, "Nothing differs.")];
    const head = ["what", names[other], names[at]].map((each) => make("th", { scope: "col" }, each));
    page.push(make("p", { id: "changes" }, rows.length === 1 ? "1 difference" : `${rows.length} differences`));
    page.push(make("div", { className: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))));
    return page;
  }

  function value(each, className) {
    return each === undefined ? make("td", { className: "quiet" }, "–") : make("td", {}, make("code", { className }, JSON.stringify(each)));
  }

  // The longest common lines of two texts; what is too long for the table is shown as replaced.
  function lines(before, after) {
    const a = before.split("\n"), b = after.split("\n");
    const out = make("pre", { className: "diff", tabIndex: 0 });
    const put = (sign, text) => out.append(make("span", { className: { "+": "add", "-": "del" }[sign] || "" }, `${sign} ${text}`));
    let start = 0, end = 0;
    while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
    while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    const left = a.slice(start, a.length - end), right = b.slice(start, b.length - end);
    for (const each of a.slice(Math.max(start - 3, 0), start)) put(" ", each);
    if (left.length * right.length > 4e6) {
      left.forEach((each) => put("-", each));
      right.forEach((each) => put("+", each));
    } else {
      const width = right.length + 1;
      const length = new Uint32Array((left.length + 1) * width);
      for (let i = left.length - 1; i >= 0; i--) {
        for (let j = right.length - 1; j >= 0; j--) {
          length[i * width + j] = left[i] === right[j] ? length[(i + 1) * width + j + 1] + 1 : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
        }
      }
      let i = 0, j = 0;
      while (i < left.length || j < right.length) {
        if (i < left.length && j < right.length && left[i] === right[j]) { put(" ", left[i]); i++; j++; }
        else if (j >= right.length || (i < left.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) put("-", left[i++]);
        else put("+", right[j++]);
      }
    }
    for (const each of a.slice(a.length - end, a.length - end + 3)) put(" ", each);
    return out;
  }
})();
