//! What a module imports: its `use` declarations and the paths in its code, attributes and macros included.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{Visit, visit_path};
use syn::{Attribute, ItemMod, ItemUse, LitStr, Macro, Meta, Path, UseTree};

use crate::tree::{Crate, Id};

/// One name that a `use` declaration brings into a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The name in the module; None for all names (`*`).
    pub name: Option<String>,
    /// The path to what is imported.
    pub path: Vec<String>,
}

/// Collects the imports and the paths of items.
#[derive(Debug, Default)]
pub struct Collector {
    pub imports: Vec<Import>,
    pub paths: Vec<Vec<String>>,
}

impl Collector {
    fn add_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &dyn ToString| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, before)),
            UseTree::Glob(_) => self.imports.push(Import { name: None, path: before.to_owned() }),
            UseTree::Name(name) if name.ident == "self" => {
                self.imports.push(Import { name: before.last().cloned(), path: before.to_owned() });
            }
            UseTree::Name(name) => {
                self.imports.push(Import { name: Some(name.ident.to_string()), path: with(&name.ident) });
            }
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { before.to_owned() } else { with(&rename.ident) };
                self.imports.push(Import { name: Some(rename.rename.to_string()), path });
            }
        }
    }

    /// Collects what looks like a path in the arguments of a macro or an attribute.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.paths.push(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.paths.push(std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.add_tokens(group.stream()),
                        // An attribute may name a function in quotes.
                        TokenTree::Literal(literal) => {
                            if let Ok(path) =
                                syn::parse_str::<LitStr>(&literal.to_string()).and_then(|text| text.parse::<Path>())
                            {
                                self.visit_path(&path);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        self.paths.push(path);
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.add_tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.add_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
        }
    }
}

/// What a path leads to: a module, or an item that a module defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Module(Id),
    ItemOf(Id),
}

/// Number of re-exports that are followed, so that a name that imports itself ends.
const LONGEST_CHAIN: u8 = 16;

impl Crate {
    /// Returns the modules whose items the module `id` uses, each with the path by which it does.
    pub fn uses(&self, id: Id) -> Vec<(Id, String)> {
        let module = &self.modules[id];
        let imports = module.imports.iter().map(|import| &import.path);
        // A single name is an item of the module, or one of its imports.
        let paths = module.paths.iter().filter(|path| path.len() > 1);
        let found = imports.chain(paths).filter_map(|path| {
            let (Target::Module(used) | Target::ItemOf(used)) = self.resolve(id, path, LONGEST_CHAIN)?;
            Some((used, path.join("::")))
        });
        found.collect()
    }

    /// Follows a path from the module `from`; `None` if it leads out of the crate.
    fn resolve(&self, from: Id, path: &[String], chain: u8) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.member(from, name, chain)?,
        };
        for name in rest {
            let Target::Module(module) = target else { break };
            target = match name.as_str() {
                "super" => Target::Module(self.modules[module].parent?),
                name => self.member(module, name, chain).unwrap_or(Target::ItemOf(module)),
            };
        }
        Some(target)
    }

    /// Returns what a name means in a module.
    fn member(&self, module: Id, name: &str, chain: u8) -> Option<Target> {
        let chain = chain.checked_sub(1)?;
        let Self { modules } = self;
        if let Some(child) = modules[module].children.get(name) {
            return Some(Target::Module(*child));
        }
        if modules[module].items.contains(name) {
            return Some(Target::ItemOf(module));
        }
        let imports = &modules[module].imports;
        if let Some(import) = imports.iter().find(|import| import.name.as_deref() == Some(name)) {
            return self.resolve(module, &import.path, chain);
        }
        imports.iter().filter(|import| import.name.is_none()).find_map(|import| {
            match self.resolve(module, &import.path, chain)? {
                Target::Module(other) if other != module => self.member(other, name, chain),
                _ => None,
            }
        })
    }
}
