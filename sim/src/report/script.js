'use strict';
// Hovering, zooming and highlighting. The page says everything without it; every chart's numbers are in its data link.
(() => {
  const tip = document.createElement('div');
  tip.id = 'tip';
  tip.setAttribute('role', 'status');
  tip.hidden = true;
  document.body.append(tip);

  // A field in quotes may hold commas, quotes and the ends of lines.
  const parse = (text) => {
    const rows = [[]];
    const pattern = /(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g;
    while (pattern.lastIndex < text.length) {
      const [, quoted, plain, end] = pattern.exec(text);
      rows[rows.length - 1].push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
      if (end === '\n') rows.push([]);
    }
    if (text.endsWith(',')) rows[rows.length - 1].push('');
    return rows.filter((row) => row.length > 0);
  };
  const human = (seconds) => {
    const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
    if (seconds < 0) return `-${human(-seconds)}`;
    if (seconds < 1) return `${+seconds.toFixed(2)} s`;
    const first = units.findIndex(([size]) => seconds >= size);
    const [size, name] = units[first];
    const next = units[first + 1];
    const whole = Math.floor(seconds / size);
    const rest = next ? Math.floor((seconds - whole * size) / next[0]) : 0;
    return `${whole} ${name}${rest ? ` ${rest} ${next[1]}` : ''}`;
  };

  // Like the above, of all units that it has: marks of an axis that are near each other differ in their last.
  const exact = (seconds) => {
    let rest = Math.round(seconds * 1000);
    const told = [[86400, 'd'], [3600, 'h'], [60, 'min']].map(([size, name]) => {
      const count = Math.floor(rest / (size * 1000));
      rest -= count * size * 1000;
      return count ? `${count} ${name}` : '';
    }).filter(Boolean);
    if (rest > 0 || told.length === 0) told.push(`${rest / 1000} s`);
    return told.join(' ');
  };
  const LENGTHS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200,
    21600, 43200, 86400, 172800, 432000, 864000, 2592000, 7776000, 31536000, 315360000];
  // Round seconds from one to another, evenly apart.
  const rounds = (from, to) => {
    const step = LENGTHS.find((length) => (to - from) / length <= 6) ?? to - from;
    const marks = [];
    for (let at = Math.ceil(from / step) * step; at <= to && marks.length < 8; at += step) marks.push(at);
    return marks;
  };

  const charts = [...document.querySelectorAll('figure.chart')].map((figure) => {
    const link = figure.querySelector('a.data');
    const rows = parse(decodeURIComponent(link.href.slice(link.href.indexOf(',') + 1)));
    const plot = figure.querySelector('svg.plot');
    const box = plot.viewBox.baseVal;
    const ticks = [...figure.querySelectorAll('g.tick')].map((node) => ({ node, x: Number(node.dataset.x) }));
    return {
      figure, plot, ticks, names: rows[0], rows: rows.slice(1), marks: [...plot.querySelectorAll('.m')],
      whole: { x: box.x, y: box.y, width: box.width, height: box.height }, view: [0, 1], at: -1,
    };
  });

  const words = (chart, index) => {
    const row = chart.rows[index];
    if (!row) return '';
    const lines = [];
    // Over time most teams hold nothing most of the time; elsewhere nothing is a value like others.
    const sparse = chart.figure.dataset.zoom === 'time' && row.length > 3;
    row.forEach((value, column) => {
      const name = chart.names[column];
      if (value === '' || (value === '0' && column > 0 && sparse)) return;
      const timed = name.endsWith('_s') && !Number.isNaN(Number(value));
      const told = timed ? name.replace(/_s$/, '').replaceAll('_', ' ') : name;
      lines.push(`${told}: ${timed ? human(Number(value)) : value}`.replace(/[\u0000-\u001f\u007f]+/g, ' '));
    });
    return lines.slice(0, 16).join('\n');
  };
  const hide = () => {
    tip.hidden = true;
    charts.forEach((chart) => chart.marks[chart.at]?.classList.remove('on'));
  };
  const show = (chart, index, x, y) => {
    hide();
    const text = words(chart, index);
    if (!text) return;
    chart.at = index;
    chart.marks[index].classList.add('on');
    tip.textContent = text;
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(x + 14, room)) + window.scrollX}px`;
    tip.style.top = `${y + 14 + window.scrollY}px`;
  };

  const range = (chart) => {
    const { from, to, scale } = chart.figure.dataset;
    const [a, b] = chart.view.map((part) => Number(from) + part * (Number(to) - Number(from)));
    return scale === 'log' ? `${human(10 ** a)} to ${human(10 ** b)}` : `${human(a / 1000)} to ${human(b / 1000)}`;
  };
  // Seconds that a view of the axis is marked at; where it is of powers of ten and wide, round ones that are not too near.
  const marksOf = ({ scale }, a, b, wide) => {
    if (scale !== 'log') return rounds(a / 1000, b / 1000).map((at) => [at, at * 1000]);
    let last = -Infinity;
    const apart = LENGTHS.map((at) => [at, Math.log10(at)]).filter(([, place]) => {
      const near = place < a || place > b || (place - last) / (b - a) * wide < 70;
      if (!near) last = place;
      return !near;
    });
    return apart.length > 2 ? apart : rounds(10 ** a, 10 ** b).map((at) => [at, Math.log10(at)]);
  };
  // Marks of a view: the page has those of the whole axis alone.
  const remark = (chart) => {
    const { whole, view: [a, b], ticks, figure } = chart;
    figure.querySelectorAll('g.made').forEach((node) => node.remove());
    if (b - a === 1 || ticks.length === 0) return false;
    const [from, to] = [Number(figure.dataset.from), Number(figure.dataset.to)];
    const ends = [a, b].map((part) => from + part * (to - from));
    const made = marksOf(figure.dataset, ...ends, whole.width);
    made.forEach(([seconds, at]) => {
      const node = ticks[0].node.cloneNode(true);
      node.classList.add('made');
      node.querySelector('text').textContent = exact(seconds);
      const part = (at - ends[0]) / (ends[1] - ends[0]);
      node.setAttribute('transform', `translate(${whole.x + part * whole.width - ticks[0].x} 0)`);
      node.classList.remove('away');
      node.removeAttribute('hidden');
      ticks[0].node.parentNode.append(node);
    });
    return made.length > 0;
  };
  const draw = (chart) => {
    const { whole, view: [a, b] } = chart;
    chart.plot.setAttribute('viewBox',
      `${whole.x + a * whole.width} ${whole.y} ${(b - a) * whole.width} ${whole.height}`);
    const remarked = remark(chart);
    chart.ticks.forEach(({ node, x }) => {
      const part = ((x - whole.x) / whole.width - a) / (b - a);
      const away = remarked || part < -0.001 || part > 1.001;
      node.setAttribute('transform', `translate(${whole.x + part * whole.width - x} 0)`);
      node.toggleAttribute('hidden', away);
      node.classList.toggle('away', away);
    });
    chart.figure.classList.toggle('zoomed', b - a < 1);
    chart.figure.querySelector('.range').textContent = b - a < 1 ? range(chart) : '';
  };
  const zoom = (chart, from, to) => {
    const length = Math.min(1, Math.max(0.002, to - from));
    const a = Math.min(1 - length, Math.max(0, from));
    const group = chart.figure.dataset.zoom;
    charts.filter((other) => other.figure.dataset.zoom === group).forEach((other) => {
      other.view = [a, a + length];
      draw(other);
    });
  };
  const scaled = (chart, factor) => {
    const [a, b] = chart.view;
    const middle = (a + b) / 2;
    zoom(chart, middle - (b - a) * factor / 2, middle + (b - a) * factor / 2);
  };

  charts.forEach((chart) => {
    const { figure, plot, marks } = chart;
    marks.forEach((mark, index) => {
      mark.addEventListener('pointermove', (event) => show(chart, index, event.clientX, event.clientY));
    });
    plot.addEventListener('pointerleave', hide);
    const svg = figure.querySelector('svg');
    svg.addEventListener('keydown', (event) => {
      const zooms = Boolean(figure.dataset.zoom);
      const [a, b] = chart.view;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) {
        const index = Math.min(marks.length - 1, Math.max(0, chart.at + step));
        if (zooms && b - a < 1) {
          const part = (index + 0.5) / marks.length;
          if (part < a || part > b) zoom(chart, a + step * (b - a) / 2, b + step * (b - a) / 2);
        }
        const at = marks[index].getBoundingClientRect();
        show(chart, index, at.left, at.top + Math.min(at.height, 40));
      } else if (zooms && (event.key === '+' || event.key === '=')) scaled(chart, 0.5);
      else if (zooms && event.key === '-') scaled(chart, 2);
      else if (event.key === '0' || event.key === 'Escape') { hide(); zoom(chart, 0, 1); }
      else return;
      event.preventDefault();
    });
    svg.addEventListener('blur', hide);
    if (!figure.dataset.zoom) return;
    let begun = null;
    const part = (event) => {
      const box = plot.getBoundingClientRect();
      const [a, b] = chart.view;
      return a + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (b - a);
    };
    plot.addEventListener('pointerdown', (event) => { begun = [part(event), event.clientX]; });
    window.addEventListener('pointerup', (event) => {
      if (!begun) return;
      const [from, x] = begun;
      begun = null;
      if (Math.abs(event.clientX - x) < 6) return;
      const to = part(event);
      zoom(chart, Math.min(from, to), Math.max(from, to));
    });
    plot.addEventListener('dblclick', () => zoom(chart, 0, 1));
    figure.querySelectorAll('button[data-do]').forEach((button) => {
      button.addEventListener('click', () => {
        if (button.dataset.do === 'all') zoom(chart, 0, 1);
        else scaled(chart, button.dataset.do === 'in' ? 0.5 : 2);
      });
    });
  });

  let kept = null;
  const pick = (colour) => {
    if (colour === null) delete document.body.dataset.pick;
    else document.body.dataset.pick = colour;
  };
  document.querySelectorAll('button.key').forEach((key) => {
    const colour = key.dataset.k;
    key.addEventListener('pointerenter', () => pick(colour));
    key.addEventListener('pointerleave', () => pick(kept));
    key.addEventListener('click', () => {
      kept = kept === colour ? null : colour;
      pick(kept);
      document.querySelectorAll('button.key').forEach((other) => {
        other.setAttribute('aria-pressed', String(other.dataset.k === kept));
      });
    });
  });
  document.documentElement.dataset.ready = String(charts.length);
})();
