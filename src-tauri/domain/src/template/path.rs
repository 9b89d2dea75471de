//! The path of a placeholder: names and positions, joined by dots (contract section 4.5).
//!
//! The library takes more than the contract says, and so does this: alternatives apart by a space, positions counted from
//! the end, and slices. The first value that matches counts.

use super::{js, scope::Node};

/// A path, compiled. Several routes are tried at once, level by level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Vec<Step>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A member of an object.
    Name(String),
    /// An item of an array.
    Item(usize),
    /// An item counted from the end: 1 is the last one, and what would lie before the first one is the first one.
    FromEnd(usize),
    Slice {
        from: Edge,
        to: Edge,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    FromStart(usize),
    FromEnd(usize),
}

impl Edge {
    /// A whole number, such as `2` or `-1`. `-0` is the end.
    fn parse(text: &str) -> Option<Self> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = digits.parse().unwrap_or(usize::MAX);
        Some(if is_negative { Self::FromEnd(number) } else { Self::FromStart(number) })
    }

    const fn of(self, len: usize) -> usize {
        match self {
            Self::FromStart(at) => at,
            Self::FromEnd(back) => len.saturating_sub(back),
        }
    }
}

impl Step {
    fn parse(text: &str) -> Self {
        match Edge::parse(text) {
            Some(Edge::FromStart(at)) => return Self::Item(at),
            Some(Edge::FromEnd(back)) => return Self::FromEnd(back),
            None => {}
        }
        if let Some((from, to)) = text.split_once(':') {
            let edge = |text: &str, default| if text.is_empty() { Some(default) } else { Edge::parse(text) };
            if let (Some(from), Some(to)) = (edge(from, Edge::FromStart(0)), edge(to, Edge::FromEnd(0))) {
                return Self::Slice { from, to };
            }
        }
        Self::Name(text.to_owned())
    }

    /// The values below a node, each with its position in the order in which they are tried.
    fn below<'a>(&self, node: Node<'a>) -> Vec<(Prop<'_>, Node<'a>)> {
        if let Self::Name(name) = self {
            return node.member(name).map(|child| (Prop::Name(name), child)).into_iter().collect();
        }
        let Some(items) = node.items() else { return Vec::new() };
        let range = match *self {
            Self::Name(_) => 0..0,
            Self::Item(at) => at..at.saturating_add(1),
            Self::FromEnd(back) => {
                let at = items.len().saturating_sub(back);
                at..at.saturating_add(1)
            }
            Self::Slice { from, to } => from.of(items.len())..to.of(items.len()),
        };
        range
            .take_while(|at| *at < items.len())
            .filter_map(|at| Some((Prop::Item(at), Node::Value(items.get(at)?))))
            .collect()
    }
}

/// Items come before names, in their order, as the members of a JavaScript object do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prop<'p> {
    Item(usize),
    Name(&'p str),
}

impl Path {
    /// None: nothing is named.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let routes: Vec<Vec<Step>> = text.split(' ').filter(|route| !route.is_empty()).map(Self::route).collect();
        (!routes.is_empty()).then_some(Self(routes))
    }

    /// A dot at the beginning says nothing, and neither does the last one of a text of nothing but dots.
    fn route(text: &str) -> Vec<Step> {
        let below_root = text.strip_prefix('.').unwrap_or(text);
        let names = if text.chars().all(|c| c == '.') { below_root.strip_suffix('.') } else { Some(below_root) };
        names.into_iter().flat_map(|names| names.split('.')).map(Step::parse).collect()
    }

    /// The first value that the path leads to.
    pub(super) fn find<'a>(&self, root: Node<'a>) -> Option<Node<'a>> {
        match self.0.as_slice() {
            [route] => first(root, &[route]),
            routes => first(root, &routes.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        }
    }

    /// The names of a path that is only names, and only one route.
    pub(super) fn names(&self) -> Option<Vec<&str>> {
        let [route] = self.0.as_slice() else { return None };
        route.iter().map(|step| if let Step::Name(name) = step { Some(name.as_str()) } else { None }).collect()
    }

    /// The names at the beginning of each route.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = Vec<&str>> {
        self.0.iter().map(|route| {
            let names =
                route.iter().map_while(|step| if let Step::Name(name) = step { Some(name.as_str()) } else { None });
            names.collect()
        })
    }
}

/// The first value at the end of one of the routes, which all start at the node.
fn first<'a>(node: Node<'a>, routes: &[&[Step]]) -> Option<Node<'a>> {
    // What most placeholders are.
    if let [route] = routes {
        let names = |node: Node<'a>, step: &Step| if let Step::Name(name) = step { node.member(name) } else { None };
        if route.iter().all(|step| matches!(step, Step::Name(_))) {
            return route.iter().try_fold(node, names);
        }
    }
    if routes.iter().any(|route| route.is_empty()) {
        return Some(node);
    }
    let mut children: Vec<(Prop<'_>, Node<'a>, Vec<&[Step]>)> = Vec::new();
    for route in routes {
        let Some((step, rest)) = route.split_first() else { continue };
        for (prop, child) in step.below(node) {
            match children.iter_mut().find(|(known, ..)| *known == prop) {
                Some((_, _, rests)) => rests.push(rest),
                None => children.push((prop, child, vec![rest])),
            }
        }
    }
    // The sort is stable: names stay in the order in which they were written.
    children.sort_by_key(|(prop, ..)| match prop {
        Prop::Item(at) => *at,
        Prop::Name(_) => usize::MAX,
    });
    children.into_iter().find_map(|(_, child, rests)| first(child, &rests))
}

/// The path and the modifiers of an alternative, apart at each colon that a letter, a digit, `_` or white space follows.
pub(super) fn modifiers(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || js::is_space(c);
        let colon = text.match_indices(':').map(|(at, _)| at).find(|at| text[at + 1..].starts_with(is_word));
        rest = colon.map(|at| &text[at + 1..]);
        Some(colon.map_or(text, |at| &text[..at]))
    })
}
