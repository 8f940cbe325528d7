//! The imports of a module: its `use` declarations and the paths in its code, attributes and macros included.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{Visit, visit_path};
use syn::{Attribute, ItemMod, ItemUse, LitStr, Macro, Meta, Path, UseTree};

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
