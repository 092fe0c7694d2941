//! The description beside a garment's picture: `tee.toml` beside `tee.png`.

use super::{Category, GarmentError, accessory, lower, upper};
use glam::{Affine2, Vec2};
use serde::Deserialize;
use std::path::{Path, PathBuf};

type Pair = [[f32; 2]; 2];

/// How closely a garment is worn.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Close to the skin.
    Tight,
    /// As usual for its category.
    Regular,
    /// Wide, hanging.
    Loose,
}

/// A description as it is written.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    category: Option<Category>,
    size: Option<String>,
    fit: Option<Fit>,
    #[serde(default)]
    points: Points,
}

/// Control points in pixels of the picture's file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Points {
    shoulder: Option<Pair>,
    collar: Option<Pair>,
    armpit: Option<Pair>,
    hem: Option<Pair>,
    neckline_depth: Option<f32>,
    neckline_filled: Option<bool>,
    waist: Option<Pair>,
    crotch: Option<[f32; 2]>,
    cuffs: Option<[Pair; 2]>,
    band: Option<Pair>,
    crown: Option<[f32; 2]>,
    ends: Option<Pair>,
    bridge: Option<[f32; 2]>,
}

/// What a person said about a garment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// Name for people.
    pub name: Option<String>,
    /// What it is.
    pub category: Option<Category>,
    /// Size, free text.
    pub size: Option<String>,
    /// How closely it is worn.
    pub fit: Option<Fit>,
    points: Points,
    path: PathBuf,
}

impl Description {
    /// Reads the description beside a picture; an empty one where there is none.
    ///
    /// # Errors
    /// If it cannot be read, is not TOML, or has a key that is not known.
    pub fn beside(picture: &Path) -> Result<Self, GarmentError> {
        let path = picture.with_extension("toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => return Err(GarmentError::DescriptionUnreadable { path, source }),
        };
        let written: Written = toml::from_str(&text).map_err(|source| {
            let start = source.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..start].iter().filter(|&&byte| byte == b'\n').count() + 1;
            GarmentError::Description { path: path.clone(), line, said: Box::new(source) }
        })?;
        let Written { name, category, size, fit, points } = written;
        Ok(Self { name, category, size, fit, points, path })
    }

    /// Checks that every point lies in the picture and belongs to the category.
    ///
    /// # Errors
    /// Names the first point that does not.
    pub fn check(
        &self,
        category: Category,
        (width, height): (u32, u32),
    ) -> Result<(), GarmentError> {
        let points = &self.points;
        let pair = |pair: Option<Pair>| pair.into_iter().flatten().collect::<Vec<_>>();
        let depth = points.neckline_depth.map(|depth| [0.0, depth]);
        let mark = |given: bool| if given { vec![[0.0, 0.0]] } else { Vec::new() };
        let is_upper = !matches!(
            category,
            Category::Skirt | Category::Trousers | Category::Hat | Category::Eyeglasses
        );
        let skirt = category == Category::Skirt;
        let trousers = category == Category::Trousers;
        let hat = category == Category::Hat;
        let eyeglasses = category == Category::Eyeglasses;
        let cuffs: Vec<[f32; 2]> = points.cuffs.into_iter().flatten().flatten().collect();
        let all: [(&'static str, Vec<[f32; 2]>, bool); 13] = [
            ("shoulder", pair(points.shoulder), is_upper),
            ("collar", pair(points.collar), is_upper),
            ("armpit", pair(points.armpit), is_upper),
            ("hem", pair(points.hem), is_upper || skirt),
            ("neckline_depth", depth.into_iter().collect(), is_upper),
            ("neckline_filled", mark(points.neckline_filled.is_some()), is_upper),
            ("waist", pair(points.waist), skirt || trousers),
            ("crotch", points.crotch.into_iter().collect(), trousers),
            ("cuffs", cuffs, is_upper || trousers),
            ("band", pair(points.band), hat),
            ("crown", points.crown.into_iter().collect(), hat),
            ("ends", pair(points.ends), eyeglasses),
            ("bridge", points.bridge.into_iter().collect(), eyeglasses),
        ];
        for (point, positions, belongs) in all {
            if !positions.is_empty() && !belongs {
                return Err(GarmentError::ForeignPoint {
                    path: self.path.clone(),
                    point,
                    category,
                });
            }
            for [x, y] in positions {
                let inside =
                    (0.0..=width as f32).contains(&x) && (0.0..=height as f32).contains(&y);
                if !inside {
                    let path = self.path.clone();
                    return Err(GarmentError::PointOutside { path, point, x, y, width, height });
                }
            }
        }
        Ok(())
    }

    /// Points of a top, mapped to the texture.
    pub fn upper(&self, from_picture: Affine2) -> upper::Known {
        let points = &self.points;
        let place = placing(from_picture);
        let scale = from_picture.matrix2.determinant().abs().sqrt();
        upper::Known {
            shoulder: points.shoulder.map(|pair| pair.map(&place)),
            collar: points.collar.map(|pair| pair.map(&place)),
            armpit: points.armpit.map(|pair| pair.map(&place)),
            hem: points.hem.map(|pair| pair.map(&place)),
            cuffs: points.cuffs.map(|cuffs| cuffs.map(|pair| pair.map(&place))),
            neckline_depth: points.neckline_depth.map(|depth| depth * scale),
            neckline_filled: points.neckline_filled,
        }
    }

    /// Points of a skirt or of trousers, mapped to the texture.
    pub fn lower(&self, from_picture: Affine2) -> lower::Known {
        let points = &self.points;
        let place = placing(from_picture);
        lower::Known {
            waist: points.waist.map(|pair| pair.map(&place)),
            hem: points.hem.map(|pair| pair.map(&place)),
            crotch: points.crotch.map(&place),
            cuffs: points.cuffs.map(|cuffs| cuffs.map(|pair| pair.map(&place))),
        }
    }

    /// Points of a hat or of eyeglasses, mapped to the texture.
    pub fn accessory(&self, from_picture: Affine2) -> accessory::Known {
        let points = &self.points;
        let place = placing(from_picture);
        accessory::Known {
            band: points.band.map(|pair| pair.map(&place)),
            crown: points.crown.map(&place),
            ends: points.ends.map(|pair| pair.map(&place)),
            bridge: points.bridge.map(&place),
        }
    }
}

fn placing(from_picture: Affine2) -> impl Fn([f32; 2]) -> Vec2 {
    move |[x, y]| from_picture.transform_point2(Vec2::new(x, y))
}
