//! The machine as SVG: boxes in boxes.

use std::fmt::Write;
use std::ops::Range;

use super::{View, size};

const UNIT: (u32, u32) = (46, 40);
const PAD: u32 = 8;
const HEAD: u32 = 20;
/// How wide a box may become before what is in it goes to the next row.
const WIDE: u32 = 1_240;
/// A matrix of more nodes than this cannot be read.
const MATRIX: usize = 32;

/// A rectangle, its heading, and what is in it.
struct Frame {
    kind: &'static str,
    head: String,
    second: String,
    inside: Vec<Frame>,
    /// Where it is in what it is in.
    at: (u32, u32),
    size: (u32, u32),
}

impl Frame {
    fn unit(view: &View, cpu: usize) -> Self {
        let second = view.workers_on(cpu);
        let kind = match (view.is_allowed(cpu), second.is_empty()) {
            (false, _) => "unit barred",
            (true, true) => "unit",
            (true, false) => "unit seat",
        };
        Frame { kind, head: cpu.to_string(), second, inside: Vec::new(), at: (0, 0), size: UNIT }
    }

    /// A box around others, in rows that are not wider than `wide`.
    fn around(kind: &'static str, head: String, mut inside: Vec<Frame>, wide: u32) -> Self {
        let top = if head.is_empty() { PAD } else { PAD + HEAD };
        let least = head.chars().count() as u32 * 8 + 2 * PAD;
        let (mut x, mut y, mut row, mut width) = (PAD, top, 0, 0);
        for frame in &mut inside {
            if x > PAD && x + frame.size.0 + PAD > wide {
                (x, y, row) = (PAD, y + row + PAD, 0);
            }
            frame.at = (x, y);
            x += frame.size.0 + PAD;
            width = width.max(x);
            row = row.max(frame.size.1);
        }
        let height = if inside.is_empty() { top + PAD / 2 } else { y + row + PAD };
        Frame { kind, head, second: String::new(), inside, at: (0, 0), size: (width.max(least), height) }
    }

    fn draw(&self, svg: &mut String, x: u32, y: u32) {
        let ((x, y), (width, height)) = ((x + self.at.0, y + self.at.1), self.size);
        let _ = writeln!(
            svg,
            r#"<rect class="{}" x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>"#,
            self.kind
        );
        if self.kind.starts_with("unit") {
            let (middle, seated) = (x + width / 2, !self.second.is_empty());
            let line = y + height / 2 + if seated { 0 } else { 5 };
            let _ = writeln!(svg, r#"<text class="cpu" x="{middle}" y="{line}">{}</text>"#, self.head);
            if seated {
                let _ = writeln!(
                    svg,
                    r#"<text class="worker" x="{middle}" y="{}">{}</text>"#,
                    line + 14,
                    self.second
                );
            }
        } else if !self.head.is_empty() {
            let _ = writeln!(svg, r#"<text x="{}" y="{}">{}</text>"#, x + PAD, y + HEAD, self.head);
        }
        self.inside.iter().for_each(|frame| frame.draw(svg, x, y));
    }
}

fn machine(view: &View) -> Frame {
    let map = &view.machine;
    let cores = |units: Range<usize>| -> Vec<Frame> {
        let members = &map.units()[units];
        let core = |units: &[gristmill::topology::Unit]| {
            let kind = match map.cores()[units[0].core].class {
                Some(0) => "core weak",
                _ => "core",
            };
            let inside = units.iter().map(|unit| Frame::unit(view, unit.os_id)).collect();
            Frame::around(kind, String::new(), inside, WIDE)
        };
        members.chunk_by(|a, b| a.core == b.core).map(core).collect()
    };
    // Caches of up to eight cores stand in two rows, so that several fit beside each other.
    let row = |frames: &[Frame]| {
        let per_row = (frames.len().div_ceil(2)).clamp(2, 8) as u32;
        frames.first().map_or(WIDE, |frame| per_row * (frame.size.0 + PAD) + PAD)
    };
    let node = |n: usize| {
        let node = &map.nodes()[n];
        let l3s = map.l3s().iter().filter(|l3| l3.node == n).map(|l3| {
            let inside = cores(l3.units.clone());
            let wide = row(&inside);
            Frame::around("l3", "L3".to_owned(), inside, wide)
        });
        let memory = node.memory.map_or(String::new(), |bytes| format!(", {}", size(bytes)));
        let only = if node.units.is_empty() { ", no CPUs" } else { "" };
        Frame::around("node", format!("node {}{memory}{only}", node.os_id), l3s.collect(), WIDE / 2)
    };
    let with_units: Vec<usize> =
        (0..map.nodes().len()).filter(|&n| !map.nodes()[n].units.is_empty()).collect();
    let package_of = |n: &usize| map.units()[map.nodes()[*n].units.start].package;
    let mut inside: Vec<Frame> = with_units
        .chunk_by(|a, b| package_of(a) == package_of(b))
        .map(|nodes| {
            let id = map.packages()[package_of(&nodes[0])].os_id;
            let head = id.map_or("package".to_owned(), |id| format!("package {id}"));
            Frame::around("package", head, nodes.iter().map(|&n| node(n)).collect(), WIDE)
        })
        .collect();
    inside.extend((0..map.nodes().len()).filter(|n| map.nodes()[*n].units.is_empty()).map(node));
    let mut head = format!("{} hardware threads, allowed: {}", map.units().len(), view.allowed);
    if let Some(pool) = &view.pool {
        let _ = write!(head, "; pool {}: {} workers", pool.name, pool.plan.workers());
        if pool.plan.places().is_empty() {
            head.push_str(", not pinned");
        }
    }
    Frame::around("machine", head, inside, WIDE + 4 * PAD)
}

/// The whole picture, which needs nothing beside itself and is light or dark as its reader likes.
pub(super) fn draw(view: &View) -> String {
    let frame = machine(view);
    let map = &view.machine;
    let nodes = map.nodes().len();
    let (mut width, mut height) = (frame.size.0 + 2 * PAD, frame.size.1 + 2 * PAD);
    let mut body = String::new();
    frame.draw(&mut body, PAD, PAD);
    if (2..=MATRIX).contains(&nodes) {
        let (cell, top) = (34, height + HEAD);
        let _ = writeln!(body, r#"<text x="{}" y="{top}">distances between nodes</text>"#, 2 * PAD);
        let left = 2 * PAD + 40;
        for n in 0..=nodes {
            for to in 0..nodes {
                let (x, y) = (left + to as u32 * cell + cell / 2, top + 22 + n as u32 * 20);
                let (class, text) = match n {
                    0 => ("head", map.nodes()[to].os_id),
                    from => ("cpu", map.distance(from - 1, to) as usize),
                };
                let _ = writeln!(body, r#"<text class="{class}" x="{x}" y="{y}">{text}</text>"#);
            }
            if n > 0 {
                let (id, y) = (map.nodes()[n - 1].os_id, top + 22 + n as u32 * 20);
                let _ = writeln!(body, r#"<text class="head" x="{}" y="{y}">{id}</text>"#, left - 16);
            }
        }
        width = width.max(left + nodes as u32 * cell + PAD);
        height = top + 34 + nodes as u32 * 20;
    }
    let key = [("unit seat", "a worker sits here"), ("unit", "allowed"), ("unit barred", "not allowed")];
    let mut x = 2 * PAD;
    height += 8;
    for (kind, words) in key {
        let y = height;
        let _ = writeln!(body, r#"<rect class="{kind}" x="{x}" y="{y}" width="16" height="16" rx="3"/>"#);
        let _ = writeln!(body, r#"<text x="{}" y="{}">{words}</text>"#, x + 24, y + 13);
        x += 40 + words.len() as u32 * 8;
    }
    (width, height) = (width.max(x), height + 28);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<style>
svg {{ background: #ffffff; font: 13px system-ui, sans-serif; fill: #1f2328 }}
rect {{ stroke: #8c959f; stroke-width: 1 }}
.machine {{ fill: #ffffff; stroke: none }}
.package {{ fill: #f6f8fa }}
.node {{ fill: #ddf4ff; stroke: #54aeff }}
.l3 {{ fill: #fbefff; stroke: #c297ff }}
.core {{ fill: #ffffff }}
.weak {{ stroke-dasharray: 4 3 }}
.unit {{ fill: #dafbe1; stroke: #4ac26b }}
.seat {{ fill: #ffd33d; stroke: #9a6700 }}
.barred {{ fill: #d0d7de; stroke: #8c959f; stroke-dasharray: 3 2 }}
.cpu, .worker, .head {{ text-anchor: middle }}
.worker {{ font-size: 11px; font-weight: 600 }}
.head {{ font-weight: 600 }}
@media (prefers-color-scheme: dark) {{
svg {{ background: #0d1117; fill: #e6edf3 }}
.machine {{ fill: #0d1117 }}
.package {{ fill: #161b22 }}
.node {{ fill: #0c2d4a }}
.l3 {{ fill: #2b1d45 }}
.core {{ fill: #0d1117 }}
.unit {{ fill: #0f4021 }}
.seat {{ fill: #845306 }}
.barred {{ fill: #30363d }}
}}
</style>
{body}</svg>
"##
    )
}
