//! The web page's files, as `npm run build` made them. Where that could not be, a page that says how to get it.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    /// Such as `index.html` or `assets/index-Dk3f.js`.
    pub path: &'static str,
    /// Changes with the content.
    pub tag: &'static str,
    /// As it is.
    pub plain: &'static [u8],
    /// Compressed by gzip, where that is worth it.
    pub gzip: Option<&'static [u8]>,
    /// Compressed by brotli, where that is worth it.
    pub brotli: Option<&'static [u8]>,
}

/// The file of a path.
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// All files.
#[must_use]
pub fn assets() -> &'static [Asset] {
    ASSETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_and_its_tags_differ() {
        let page = asset("index.html").expect("there is always a page");
        assert!(std::str::from_utf8(page.plain).is_ok_and(|page| page.contains("<title>Coffee-RT")));
        let tags: std::collections::BTreeSet<_> = assets().iter().map(|asset| asset.tag).collect();
        assert_eq!(tags.len(), assets().len());
        assert!(asset("nothing").is_none());
        for asset in assets() {
            for compressed in [asset.gzip, asset.brotli].into_iter().flatten() {
                assert!(compressed.len() < asset.plain.len(), "{}", asset.path);
            }
        }
    }
}
