//! The paths in a source file that lead into its own crate, read as tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A place in the module tree: `["mill", "deque"]`; the crate root is empty.
pub(crate) type Module = Vec<String>;

/// One path from the crate's root, as some file uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) path: Module,
    pub(crate) line: usize,
    pub(crate) in_test: bool,
}

/// Where in a file the reading stands.
#[derive(Clone)]
pub(crate) struct Walk<'a> {
    /// Is there a file for this module?
    pub(crate) is_module: &'a dyn Fn(&Module) -> bool,
    pub(crate) module: Module,
    pub(crate) in_test: bool,
}

impl Walk<'_> {
    /// Adds every path in `stream` that leads into the crate.
    pub(crate) fn stream(&self, stream: TokenStream, out: &mut Vec<Mention>) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        // An attribute that says `cfg(test)` counts to the end of the item behind it.
        let (mut i, mut item_is_test) = (0, false);
        while let Some(token) = tokens.get(i) {
            let here = Walk { in_test: self.in_test || item_is_test, ..self.clone() };
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let bang = is_punct(tokens.get(i + 1), '!');
                    if let Some(TokenTree::Group(group)) = tokens.get(i + 1 + usize::from(bang)) {
                        item_is_test |= is_cfg_test(group.stream());
                        i += 1 + usize::from(bang);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => item_is_test = false,
                TokenTree::Group(group) => {
                    let mut inner = here;
                    if let Some(name) = inline_module(&tokens[..i]) {
                        inner.module.push(name);
                    }
                    inner.stream(group.stream(), out);
                    if group.delimiter() == Delimiter::Brace {
                        item_is_test = false;
                    }
                }
                TokenTree::Ident(first)
                    if is_path_sep(&tokens, i + 1) && !ends_with_path_sep(&tokens[..i]) =>
                {
                    let root = here.root(&first.to_string());
                    let line = first.span().start().line;
                    if let Some(root) = root {
                        i = here.path(&tokens, i + 3, root, line, out);
                        continue;
                    }
                }
                _ => {}
            }
            i += 1;
        }
    }

    /// The module that a path's first segment names; `None` if it leads out of the crate or is a local name.
    fn root(&self, first: &str) -> Option<Module> {
        let mut module = self.module.clone();
        match first {
            "crate" => module.clear(),
            "self" => {}
            "super" => drop(module.pop()),
            child => {
                module.push(child.to_owned());
                if !(self.is_module)(&module) {
                    return None;
                }
            }
        }
        Some(module)
    }

    /// Reads a path, or a whole tree of them, from behind its first `::`. Returns where it ends.
    fn path(
        &self,
        tokens: &[TokenTree],
        mut i: usize,
        mut path: Module,
        line: usize,
        out: &mut Vec<Mention>,
    ) -> usize {
        loop {
            match tokens.get(i) {
                Some(TokenTree::Ident(ident)) => {
                    match ident.to_string().as_str() {
                        "super" => drop(path.pop()),
                        "self" => {}
                        name => path.push(name.trim_start_matches("r#").to_owned()),
                    }
                    i += 1;
                    if is_path_sep(tokens, i) {
                        i += 2;
                        continue;
                    }
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                    for branch in branches.split(|token| is_punct(Some(token), ',')) {
                        if let Some(first) = branch.first() {
                            self.path(branch, 0, path.clone(), first.span().start().line, out);
                        }
                    }
                    return i + 1;
                }
                // `*`, or generic arguments.
                _ => {}
            }
            out.push(Mention { path, line, in_test: self.in_test });
            return i;
        }
    }
}

fn is_punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn is_path_sep(tokens: &[TokenTree], i: usize) -> bool {
    is_punct(tokens.get(i), ':') && is_punct(tokens.get(i + 1), ':')
}

fn ends_with_path_sep(tokens: &[TokenTree]) -> bool {
    tokens.len() >= 2 && is_path_sep(tokens, tokens.len() - 2)
}

/// The name in `mod name`, if that is what stands before a group.
fn inline_module(before: &[TokenTree]) -> Option<String> {
    match before {
        [.., TokenTree::Ident(word), TokenTree::Ident(name)] if word == "mod" => Some(name.to_string()),
        _ => None,
    }
}

/// `cfg(test)`, `cfg(all(test, ..))`; not `cfg(not(test))`.
fn is_cfg_test(attribute: TokenStream) -> bool {
    fn says_test(stream: TokenStream) -> bool {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        tokens.iter().enumerate().any(|(i, token)| match token {
            TokenTree::Ident(ident) => ident == "test",
            TokenTree::Group(group) => {
                let before = i.checked_sub(1).map(|before| tokens[before].to_string());
                before.is_some_and(|word| word == "all") && says_test(group.stream())
            }
            _ => false,
        })
    }
    match &attribute.into_iter().collect::<Vec<_>>()[..] {
        [TokenTree::Ident(cfg), TokenTree::Group(group)] if cfg == "cfg" => says_test(group.stream()),
        _ => false,
    }
}

/// Calls `see` with every identifier and its line.
pub(crate) fn idents(stream: TokenStream, see: &mut impl FnMut(&str, usize)) {
    for token in stream {
        match token {
            TokenTree::Group(group) => idents(group.stream(), see),
            TokenTree::Ident(ident) => see(&ident.to_string(), ident.span().start().line),
            _ => {}
        }
    }
}
