//! Silhouettes drawn by the tests: each kind of garment, at several sizes and leans.

use super::{
    Category, GarmentError, Reading, Shape, Texture, description::Description, read::Source, sleeve,
};
use glam::{Mat2, Vec2};

/// Right half of an outline from the top of the axis to its bottom, `x` outwards, in heights.
type HalfOutline = &'static [(f32, f32)];

struct Drawn {
    name: &'static str,
    category: Category,
    half: HalfOutline,
    /// Right one of each pair, by the names that descriptions use; a hat's crown is on the axis.
    points: &'static [(&'static str, (f32, f32))],
}

const TEE: Drawn = Drawn {
    name: "tee",
    category: Category::TShirt,
    half: &[
        (0.0, 0.07),
        (0.06, 0.06),
        (0.09, 0.02),
        (0.24, 0.08),
        (0.42, 0.24),
        (0.34, 0.34),
        (0.25, 0.28),
        (0.26, 0.95),
        (0.0, 0.96),
    ],
    points: &[
        ("collar", (0.09, 0.02)),
        ("shoulder", (0.24, 0.08)),
        ("armpit", (0.25, 0.28)),
        ("hem", (0.26, 0.95)),
        ("cuff outer", (0.42, 0.24)),
        ("cuff inner", (0.34, 0.34)),
    ],
};

const ALL: &[Drawn] = &[
    TEE,
    Drawn {
        name: "hanging long sleeves",
        category: Category::LongSleeve,
        half: &[
            (0.0, 0.08),
            (0.06, 0.07),
            (0.09, 0.03),
            (0.24, 0.09),
            (0.32, 0.25),
            (0.43, 0.84),
            (0.35, 0.86),
            (0.26, 0.32),
            (0.27, 0.92),
            (0.0, 0.93),
        ],
        points: &[
            ("collar", (0.09, 0.03)),
            ("shoulder", (0.24, 0.09)),
            ("armpit", (0.26, 0.32)),
            ("hem", (0.27, 0.92)),
            ("cuff outer", (0.43, 0.84)),
            ("cuff inner", (0.35, 0.86)),
        ],
    },
    Drawn {
        name: "kimono",
        category: Category::LongSleeve,
        half: &[
            (0.0, 0.12),
            (0.08, 0.05),
            (0.3, 0.07),
            (0.85, 0.10),
            (0.85, 0.36),
            (0.30, 0.34),
            (0.31, 0.92),
            (0.0, 0.92),
        ],
        points: &[
            ("armpit", (0.30, 0.34)),
            ("hem", (0.31, 0.92)),
            ("cuff outer", (0.85, 0.10)),
            ("cuff inner", (0.85, 0.36)),
        ],
    },
    Drawn {
        name: "hoodie",
        category: Category::LongSleeve,
        half: &[
            (0.0, 0.03),
            (0.09, 0.02),
            (0.14, 0.08),
            (0.15, 0.14),
            (0.26, 0.19),
            (0.36, 0.42),
            (0.46, 0.88),
            (0.38, 0.9),
            (0.28, 0.44),
            (0.27, 0.94),
            (0.0, 0.94),
        ],
        points: &[
            ("shoulder", (0.26, 0.19)),
            ("armpit", (0.28, 0.44)),
            ("hem", (0.27, 0.94)),
            ("cuff outer", (0.46, 0.88)),
            ("cuff inner", (0.38, 0.9)),
        ],
    },
    Drawn {
        name: "tank",
        category: Category::Sleeveless,
        half: &[
            (0.0, 0.22),
            (0.06, 0.17),
            (0.10, 0.02),
            (0.17, 0.04),
            (0.17, 0.18),
            (0.2, 0.28),
            (0.27, 0.34),
            (0.28, 0.95),
            (0.0, 0.95),
        ],
        points: &[
            ("collar", (0.10, 0.02)),
            ("shoulder", (0.17, 0.04)),
            ("armpit", (0.27, 0.34)),
            ("hem", (0.28, 0.95)),
        ],
    },
    Drawn {
        name: "dress with short sleeves",
        category: Category::Dress,
        half: &[
            (0.0, 0.05),
            (0.07, 0.02),
            (0.16, 0.05),
            (0.27, 0.14),
            (0.22, 0.21),
            (0.165, 0.17),
            (0.13, 0.34),
            (0.33, 0.96),
            (0.0, 0.98),
        ],
        points: &[
            ("shoulder", (0.16, 0.05)),
            ("armpit", (0.165, 0.17)),
            ("hem", (0.33, 0.96)),
            ("cuff outer", (0.27, 0.14)),
            ("cuff inner", (0.22, 0.21)),
        ],
    },
    Drawn {
        name: "sleeveless dress",
        category: Category::Dress,
        half: &[
            (0.0, 0.09),
            (0.06, 0.02),
            (0.12, 0.03),
            (0.12, 0.12),
            (0.17, 0.19),
            (0.14, 0.36),
            (0.26, 0.97),
            (0.0, 0.98),
        ],
        points: &[("shoulder", (0.12, 0.03)), ("armpit", (0.17, 0.19)), ("hem", (0.26, 0.97))],
    },
    Drawn {
        name: "flared skirt",
        category: Category::Skirt,
        half: &[(0.0, 0.03), (0.2, 0.02), (0.38, 0.92), (0.0, 0.96)],
        points: &[("waist", (0.2, 0.02)), ("hem", (0.38, 0.92))],
    },
    Drawn {
        name: "pencil skirt",
        category: Category::Skirt,
        half: &[(0.0, 0.02), (0.17, 0.02), (0.21, 0.12), (0.23, 0.25), (0.2, 0.97), (0.0, 0.97)],
        points: &[("waist", (0.17, 0.02)), ("hem", (0.2, 0.97))],
    },
    Drawn {
        name: "trousers",
        category: Category::Trousers,
        half: &[
            (0.0, 0.03),
            (0.17, 0.02),
            (0.21, 0.25),
            (0.22, 0.97),
            (0.10, 0.975),
            (0.02, 0.38),
            (0.0, 0.36),
        ],
        points: &[
            ("waist", (0.17, 0.02)),
            ("crotch", (0.0, 0.36)),
            ("cuff outer", (0.22, 0.97)),
            ("cuff inner", (0.10, 0.975)),
        ],
    },
    Drawn {
        name: "shorts",
        category: Category::Trousers,
        half: &[(0.0, 0.03), (0.3, 0.02), (0.42, 0.88), (0.07, 0.93), (0.0, 0.6)],
        points: &[
            ("waist", (0.3, 0.02)),
            ("crotch", (0.0, 0.6)),
            ("cuff outer", (0.42, 0.88)),
            ("cuff inner", (0.07, 0.93)),
        ],
    },
    Drawn {
        name: "beanie",
        category: Category::Hat,
        half: &[
            (0.0, 0.05),
            (0.15, 0.07),
            (0.3, 0.16),
            (0.4, 0.33),
            (0.44, 0.55),
            (0.45, 0.94),
            (0.0, 0.96),
        ],
        points: &[("band", (0.45, 0.93)), ("crown", (0.0, 0.05))],
    },
    Drawn {
        name: "hat with a brim",
        category: Category::Hat,
        half: &[
            (0.0, 0.1),
            (0.2, 0.05),
            (0.38, 0.2),
            (0.45, 0.7),
            (0.9, 0.72),
            (0.93, 0.78),
            (0.5, 0.93),
            (0.0, 0.96),
        ],
        points: &[("band", (0.45, 0.7)), ("crown", (0.0, 0.1))],
    },
    Drawn {
        name: "sunglasses",
        category: Category::Eyeglasses,
        half: &[
            (0.0, 0.3),
            (0.2, 0.26),
            (0.4, 0.2),
            (1.2, 0.15),
            (1.35, 0.25),
            (1.3, 0.6),
            (1.1, 0.85),
            (0.8, 0.9),
            (0.45, 0.8),
            (0.3, 0.5),
            (0.15, 0.42),
            (0.0, 0.42),
        ],
        points: &[("bridge", (0.0, 0.36))],
    },
];

/// Draws the outline `height` pixels high and turned by `lean`; four samples a pixel each way.
fn draw(drawn: &Drawn, height: f32, lean: f32) -> (Source, impl Fn(Vec2) -> Vec2 + use<>) {
    let wide = drawn.half.iter().map(|point| point.0).fold(0.0, f32::max);
    let canvas = (height * Vec2::new(2.0 * wide + 0.3, 1.2)).ceil();
    let centre = 0.5 * canvas;
    let turn = Mat2::from_angle(lean);
    let place = move |point: Vec2| centre + turn * ((point - Vec2::new(0.0, 0.5)) * height);
    let right = drawn.half.iter().map(|&(x, y)| place(Vec2::new(x, y)));
    let left = drawn.half.iter().rev().map(|&(x, y)| place(Vec2::new(-x, y)));
    let polygon: Vec<Vec2> = right.chain(left).collect();
    let inside = |p: Vec2| {
        let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
        let crossed = edges.filter(|(a, b)| {
            (a.y <= p.y) != (b.y <= p.y) && p.x < a.x + (p.y - a.y) / (b.y - a.y) * (b.x - a.x)
        });
        crossed.count() % 2 == 1
    };
    let mut texture = Texture::clear(canvas.x as usize, canvas.y as usize);
    for y in 0..texture.height {
        for x in 0..texture.width {
            let samples = (0..4).filter(|k| {
                let offset = Vec2::new((k % 2) as f32, (k / 2) as f32) * 0.5 + 0.25;
                inside(Vec2::new(x as f32, y as f32) + offset)
            });
            let alpha = (samples.count() * 255 / 4) as u8;
            texture.rgba[y * texture.width + x] = [120, 60, 60, alpha];
        }
    }
    let size = (texture.width as u32, texture.height as u32);
    (Source { pixels: texture, size, has_alpha: true }, place)
}

fn understand(source: Source) -> Result<Reading, GarmentError> {
    Reading::understand(source, "drawn", None, Description::default())
}

/// The pair of points of a name, left and right; both the same for single ones.
fn found(reading: &Reading, name: &str) -> [Vec2; 2] {
    let cuffs = |end: usize| match &reading.garment.shape {
        Shape::Trousers(trousers) => trousers.cuffs.map(|cuff| cuff[end]),
        _ => reading.cuffs.map(|cuff| cuff.map_or(Vec2::NAN, |cuff| cuff[end])),
    };
    match (&reading.garment.shape, name) {
        (_, "cuff outer") => cuffs(0),
        (_, "cuff inner") => cuffs(1),
        (Shape::Upper(upper), "shoulder") => upper.shoulder,
        (Shape::Upper(upper), "collar") => upper.collar,
        (Shape::Upper(upper), "armpit") => upper.armpit,
        (Shape::Upper(upper), "hem") => upper.hem,
        (Shape::Skirt(tube), "waist") => tube.waist,
        (Shape::Skirt(tube), "hem") => tube.hem,
        (Shape::Trousers(trousers), "waist") => trousers.waist,
        (Shape::Trousers(trousers), "crotch") => [trousers.crotch; 2],
        (Shape::Hat(hat), "band") => hat.band,
        (Shape::Hat(hat), "crown") => [hat.crown; 2],
        (Shape::Eyeglasses(eyeglasses), "bridge") => [eyeglasses.bridge; 2],
        _ => [Vec2::NAN; 2],
    }
}

fn faults(drawn: &Drawn, height: f32, degrees: f32) -> Vec<String> {
    let name = format!("{} {height} px, {degrees}°", drawn.name);
    let (source, place) = draw(drawn, height, degrees.to_radians());
    let reading = match understand(source) {
        Ok(reading) => reading,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    if reading.garment.category != drawn.category {
        let (category, confidence) = (reading.garment.category, reading.confidence);
        return vec![format!("{name}: taken for a {category} ({confidence:.2})")];
    }
    let wide = 2.0 * height * drawn.half.iter().map(|point| point.0).fold(0.0, f32::max);
    let mut faults = Vec::new();
    for &(point, (x, y)) in drawn.points {
        let truth = [-x, x].map(|x| reading.from_picture.transform_point2(place(Vec2::new(x, y))));
        for (found, truth) in found(&reading, point).into_iter().zip(truth) {
            let apart = found.distance(truth) / wide;
            // A turned picture's pixels are sampled once more.
            let tolerance = 0.05 + 2.0 / wide;
            if apart.is_nan() || apart > tolerance {
                faults
                    .push(format!("{name}: {point} {apart:.3} off: {found:.0}, drawn {truth:.0}"));
            }
        }
    }
    if let Shape::Upper(upper) = &reading.garment.shape {
        let folds: usize = upper.sleeves.iter().flatten().map(sleeve::folds).sum();
        if folds > 0 {
            faults.push(format!("{name}: {folds} folds in the sleeves"));
        }
    }
    faults
}

#[test]
fn every_kind_is_understood_at_every_size() {
    let mut all = Vec::new();
    for height in [90.0, 320.0, 900.0] {
        all.extend(ALL.iter().flat_map(|drawn| faults(drawn, height, 0.0)));
    }
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
}

#[test]
fn a_leaning_garment_is_turned_upright() {
    let mut all = Vec::new();
    for degrees in [-12.0, -3.5, 5.0, 9.0] {
        all.extend(ALL.iter().flat_map(|drawn| faults(drawn, 320.0, degrees)));
    }
    assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
}

#[test]
fn a_ball_is_not_taken_for_a_top() {
    let half: HalfOutline = &[
        (0.0, 0.0),
        (0.25, 0.07),
        (0.43, 0.25),
        (0.5, 0.5),
        (0.43, 0.75),
        (0.25, 0.93),
        (0.0, 1.0),
    ];
    let ball = Drawn { name: "ball", category: Category::Hat, half, points: &[] };
    if let Ok(reading) = understand(draw(&ball, 300.0, 0.0).0) {
        assert!(reading.confidence <= 0.8, "{} {}", reading.garment.category, reading.confidence);
    }
}

#[test]
fn a_rectangle_is_no_garment() {
    let mut pixels = Texture::clear(200, 200);
    for i in 0..200 * 200 {
        if (20..180).contains(&(i % 200)) && (20..180).contains(&(i / 200)) {
            pixels.rgba[i] = [90, 90, 90, 255];
        }
    }
    let error = understand(Source { pixels, size: (200, 200), has_alpha: true }).unwrap_err();
    assert!(matches!(error, GarmentError::Rectangle), "{error}");
}

#[test]
fn a_transparent_picture_is_no_garment() {
    let pixels = Texture::clear(100, 100);
    let error = understand(Source { pixels, size: (100, 100), has_alpha: true }).unwrap_err();
    assert!(matches!(error, GarmentError::Transparent), "{error}");
}

#[test]
fn a_garment_that_touches_the_border_is_used_with_a_warning() {
    let (source, _) = draw(&TEE, 400.0, 0.0);
    let width = source.pixels.width;
    let pixels = source.pixels.cropped(0, 0, width, 400);
    let size = (width as u32, 400);
    let reading = understand(Source { pixels, size, has_alpha: true }).unwrap();
    assert!(reading.warnings.contains(&super::Warning::TouchesBorder), "{:?}", reading.warnings);
}

#[test]
fn an_opaque_picture_on_a_plain_ground_gives_the_same_points() {
    let (source, _) = draw(&TEE, 400.0, 0.0);
    let mut opaque = source.pixels.clone();
    for pixel in &mut opaque.rgba {
        let alpha = f32::from(pixel[3]) / 255.0;
        let over = |channel: u8| (f32::from(channel) * alpha + 238.0 * (1.0 - alpha)) as u8;
        *pixel = [over(pixel[0]), over(pixel[1]), over(pixel[2]), 255];
    }
    let size = source.size;
    let plain = understand(Source { pixels: opaque, size, has_alpha: false }).unwrap();
    let clear = understand(source).unwrap();
    for name in ["shoulder", "armpit", "hem", "cuff outer", "cuff inner"] {
        let place = |reading: &Reading| {
            found(reading, name).map(|point| reading.from_picture.inverse().transform_point2(point))
        };
        for (a, b) in place(&plain).into_iter().zip(place(&clear)) {
            assert!(a.distance(b) < 4.0, "{name}: {a} {b}");
        }
    }
}
