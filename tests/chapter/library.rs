//! The public paths of a crate, found in its sources.
//!
//! Modules, items, `pub use` (with braces, renames and globs), methods and constants of types wherever their `impl`
//! blocks stand, variants, methods of traits, aliases of types. What a macro makes is seen if it says `pub fn` within
//! an `impl` block.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::{ImplItem, Item, TraitItem, Type, UseTree, Visibility};

/// A place in the module tree; the crate root is empty.
type Module = Vec<String>;

/// What the crate is called by its users.
const CRATE: &str = "gristmill";

/// How many `use`s may lead to each other.
const DEPTH: usize = 16;

/// Something that a name means: a module, or an item where it is defined.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Def {
    Module(Module),
    Item(Module, String),
}

/// A name in a module.
struct Name {
    is_pub: bool,
    what: What,
}

enum What {
    Module,
    Item,
    Use(Vec<String>),
}

#[derive(Default)]
struct Contents {
    names: BTreeMap<String, Vec<Name>>,
    /// `use path::*`.
    globs: Vec<(bool, Vec<String>)>,
}

/// All that is found in the sources.
#[derive(Default)]
pub(crate) struct Library {
    modules: BTreeMap<Module, Contents>,
    /// Variants, methods, constants by the item that has them.
    members: BTreeMap<Def, BTreeSet<String>>,
    /// `impl` blocks until all names are known: where, whose, and what is in them.
    impls: Vec<(Module, Vec<String>, BTreeSet<String>)>,
    /// What aliases stand for.
    aliases: BTreeMap<Def, (Module, Vec<String>)>,
}

impl Library {
    /// From a folder with a `lib.rs`.
    pub(crate) fn read(src: &Path) -> Library {
        Self::from(&|name| fs::read_to_string(src.join(name)).ok())
    }

    /// From files by their names below `src`.
    pub(crate) fn of(files: &[(&str, &str)]) -> Library {
        Self::from(&|name| files.iter().find(|file| file.0 == name).map(|file| file.1.to_owned()))
    }

    fn from(read: &dyn Fn(&str) -> Option<String>) -> Library {
        let mut library = Library::default();
        library.file(read, "lib.rs", Vec::new());
        for (module, path, members) in std::mem::take(&mut library.impls) {
            for def in library.resolve(&module, &path, false, DEPTH) {
                library.members.entry(def).or_default().extend(members.iter().cloned());
            }
        }
        library
    }

    /// Does a user of the crate find something by this path?
    pub(crate) fn has(&self, path: &str) -> bool {
        let segments: Vec<String> = path.split("::").map(str::to_owned).collect();
        let [krate, path @ ..] = &segments[..] else { return false };
        let Some((last, before)) = path.split_last() else { return false };
        if krate != CRATE {
            return false;
        }
        let root = Module::new();
        if !self.resolve(&root, path, true, DEPTH).is_empty() {
            return true;
        }
        let mut owners = self.resolve(&root, before, true, DEPTH);
        for _ in 0..DEPTH {
            let more: Vec<Def> = owners.iter().flat_map(|owner| self.behind_alias(owner)).collect();
            if more.iter().all(|def| owners.contains(def)) {
                break;
            }
            owners.extend(more);
        }
        owners.iter().any(|owner| self.members.get(owner).is_some_and(|members| members.contains(last)))
    }

    fn behind_alias(&self, def: &Def) -> Vec<Def> {
        let alias = self.aliases.get(def);
        alias.map(|(module, path)| self.resolve(module, path, false, DEPTH)).unwrap_or_default()
    }

    /// All that `path` means in `module`; with `is_pub`, for somebody who may only see what is public.
    fn resolve(&self, module: &Module, path: &[String], is_pub: bool, depth: usize) -> Vec<Def> {
        let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
        let Some((first, rest)) = path.split_first() else { return vec![Def::Module(module.clone())] };
        let mut home = module.clone();
        let mut found = match first.as_str() {
            "crate" if !is_pub => vec![Def::Module(Module::new())],
            "self" if !is_pub => vec![Def::Module(home)],
            "super" if !is_pub => {
                home.pop();
                vec![Def::Module(home)]
            }
            name => self.lookup(module, name, is_pub, depth),
        };
        for name in rest {
            let inner = found.iter().flat_map(|def| match def {
                Def::Module(inner) if name == "super" => {
                    vec![Def::Module(inner[..inner.len().saturating_sub(1)].to_vec())]
                }
                Def::Module(inner) => self.lookup(inner, name, is_pub, depth),
                Def::Item(..) => Vec::new(),
            });
            found = inner.collect();
        }
        found.sort();
        found.dedup();
        found
    }

    fn lookup(&self, module: &Module, name: &str, is_pub: bool, depth: usize) -> Vec<Def> {
        let Some(contents) = self.modules.get(module) else { return Vec::new() };
        let mut found = Vec::new();
        for entry in contents.names.get(name).into_iter().flatten().filter(|entry| entry.is_pub || !is_pub) {
            match &entry.what {
                What::Module => found.push(Def::Module([module.clone(), vec![name.to_owned()]].concat())),
                What::Item => found.push(Def::Item(module.clone(), name.to_owned())),
                // Who may use it may use what it leads to: the compiler has seen to that.
                What::Use(path) => found.extend(self.resolve(module, path, false, depth)),
            }
        }
        for (_, path) in contents.globs.iter().filter(|(glob_is_pub, _)| *glob_is_pub || !is_pub) {
            for def in self.resolve(module, path, false, depth) {
                if let Def::Module(inner) = def {
                    found.extend(self.lookup(&inner, name, true, depth.saturating_sub(1)));
                }
            }
        }
        found
    }

    fn file(&mut self, read: &dyn Fn(&str) -> Option<String>, name: &str, module: Module) {
        let text = read(name).unwrap_or_else(|| panic!("there is no src/{name}"));
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("src/{name}: {error}"));
        self.items(read, file.items, module);
    }

    fn items(&mut self, read: &dyn Fn(&str) -> Option<String>, items: Vec<Item>, module: Module) {
        self.modules.entry(module.clone()).or_default();
        for item in items {
            self.item(read, item, &module);
        }
    }

    fn name(&mut self, module: &Module, name: &syn::Ident, is_pub: bool, what: What) -> Def {
        let name = name.to_string().trim_start_matches("r#").to_owned();
        let names = &mut self.modules.entry(module.clone()).or_default().names;
        names.entry(name.clone()).or_default().push(Name { is_pub, what });
        Def::Item(module.clone(), name)
    }

    fn item(&mut self, read: &dyn Fn(&str) -> Option<String>, item: Item, module: &Module) {
        match item {
            Item::Mod(inner) if !is_test(&inner.attrs) => {
                self.name(module, &inner.ident, is_pub(&inner.vis), What::Module);
                let mut path = module.clone();
                path.push(inner.ident.to_string());
                match inner.content {
                    Some((_, items)) => self.items(read, items, path),
                    None => {
                        let name = path.join("/");
                        let file = [format!("{name}.rs"), format!("{name}/mod.rs")];
                        let file = file.into_iter().find(|file| read(file).is_some());
                        // One that is there under another name, or not always, has nothing public.
                        if let Some(file) = file {
                            self.file(read, &file, path);
                        }
                    }
                }
            }
            Item::Use(item) => self.uses(module, is_pub(&item.vis), Vec::new(), item.tree),
            Item::Struct(item) => drop(self.name(module, &item.ident, is_pub(&item.vis), What::Item)),
            Item::Union(item) => drop(self.name(module, &item.ident, is_pub(&item.vis), What::Item)),
            Item::Fn(item) => drop(self.name(module, &item.sig.ident, is_pub(&item.vis), What::Item)),
            Item::Const(item) => drop(self.name(module, &item.ident, is_pub(&item.vis), What::Item)),
            Item::Static(item) => drop(self.name(module, &item.ident, is_pub(&item.vis), What::Item)),
            Item::Enum(item) => {
                let def = self.name(module, &item.ident, is_pub(&item.vis), What::Item);
                let variants = item.variants.iter().map(|variant| variant.ident.to_string());
                self.members.entry(def).or_default().extend(variants);
            }
            Item::Trait(item) => {
                let def = self.name(module, &item.ident, is_pub(&item.vis), What::Item);
                let members = item.items.iter().filter_map(|member| match member {
                    TraitItem::Fn(member) => Some(member.sig.ident.to_string()),
                    TraitItem::Const(member) => Some(member.ident.to_string()),
                    _ => None,
                });
                self.members.entry(def).or_default().extend(members);
            }
            Item::Type(item) => {
                let def = self.name(module, &item.ident, is_pub(&item.vis), What::Item);
                if let Some(path) = type_path(&item.ty) {
                    self.aliases.insert(def, (module.clone(), path));
                }
            }
            Item::Impl(item) if !is_test(&item.attrs) => {
                let of_trait = item.trait_.is_some();
                if let Some(path) = type_path(&item.self_ty) {
                    self.impls.push((module.clone(), path, members(item.items, of_trait)));
                }
            }
            Item::Macro(item) => {
                let exported = item.attrs.iter().any(|attr| attr.path().is_ident("macro_export"));
                if let Some(name) = item.ident.filter(|_| exported) {
                    self.name(&Module::new(), &name, true, What::Item);
                }
            }
            _ => {}
        }
    }

    fn uses(&mut self, module: &Module, is_pub: bool, mut path: Vec<String>, tree: UseTree) {
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.uses(module, is_pub, path, *step.tree);
            }
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = path.last().map(|last| syn::Ident::new(last, name.ident.span())) {
                    self.name(module, &last, is_pub, What::Use(path));
                }
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.name(module, &name.ident, is_pub, What::Use(path));
            }
            UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                self.name(module, &name.rename, is_pub, What::Use(path));
            }
            UseTree::Glob(_) => {
                self.modules.entry(module.clone()).or_default().globs.push((is_pub, path));
            }
            UseTree::Group(group) => {
                for tree in group.items {
                    self.uses(module, is_pub, path.clone(), tree);
                }
            }
        }
    }
}

fn is_pub(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let text = quoted(attr);
        attr.path().is_ident("cfg") && (text.contains("test") || text == "loom") && !text.contains("not")
    })
}

fn quoted(attr: &syn::Attribute) -> String {
    attr.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default()
}

/// The segments of a type that is a path, its generic arguments left out.
fn type_path(of: &Type) -> Option<Vec<String>> {
    match of {
        Type::Path(path) if path.qself.is_none() => {
            Some(path.path.segments.iter().map(|segment| segment.ident.to_string()).collect())
        }
        _ => None,
    }
}

/// What users may call in an `impl` block.
fn members(items: Vec<ImplItem>, of_trait: bool) -> BTreeSet<String> {
    let mut members = BTreeSet::new();
    for item in items {
        match item {
            ImplItem::Fn(item) if of_trait || is_pub(&item.vis) => {
                members.insert(item.sig.ident.to_string());
            }
            ImplItem::Const(item) if of_trait || is_pub(&item.vis) => {
                members.insert(item.ident.to_string());
            }
            ImplItem::Macro(item) => members.extend(public_functions(item.mac.tokens)),
            _ => {}
        }
    }
    members
}

/// The names behind `pub fn`, `pub const fn`, `pub unsafe fn`.
fn public_functions(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let word = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => ident.to_string(),
        _ => String::new(),
    };
    let mut names = Vec::new();
    for at in (0..tokens.len()).filter(|&at| word(at) == "pub") {
        let mut next = at + 1;
        while matches!(word(next).as_str(), "const" | "unsafe") {
            next += 1;
        }
        if word(next) == "fn" {
            names.push(word(next + 1));
        }
    }
    names
}
