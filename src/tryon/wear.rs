//! How each kind of garment is worn: patches, gaps to fill, what stays in front, in drawing order.

use super::Piece;
use super::capsule::Capsule;
use super::cloth::Layer;
use super::head;
use super::lower;
use super::patch::Patch;
use super::render::{ClothStep, Step};
use super::seen::SeenPerson;
use super::sleeve::{SleeveFit, fit_sleeve};
use super::torso::{TorsoFit, fit_torso};
use super::uncover::{self, Fill, Front, Neckline};
use crate::filter::{Guided, combine, smoothstep};
use crate::garment::{Shape, Upper};
use crate::plane::Plane;
use glam::Vec2;
use std::sync::Arc;

/// What will be drawn for one piece.
pub struct Drawing<'a> {
    /// In order.
    pub steps: Vec<Step<'a>>,
    /// Cells that the cloth covers.
    pub cover: Plane,
    /// The fitted patches, without overhang.
    pub patches: Vec<Patch>,
}

/// How a patch is drawn, apart from what all patches of a piece share.
struct Look {
    front: Option<Guided>,
    spill: Option<Arc<Plane>>,
    roundness: f32,
    fade_in: [f32; 2],
    spill_until: f32,
}

impl SeenPerson {
    /// Decides how a piece is drawn.
    pub fn drawing<'a>(&'a self, piece: &'a Piece) -> Drawing<'a> {
        match &piece.garment.shape {
            Shape::Upper(upper) => self.upper(upper, piece),
            Shape::Trousers(trousers) => {
                self.lower(lower::fit_trousers(trousers, &self.body, &self.mask), piece)
            }
            Shape::Skirt(tube) => {
                self.lower(vec![lower::fit_skirt(tube, &self.body, &self.mask).0], piece)
            }
            Shape::Hat(hat) => {
                self.hat(head::fit_hat(hat, piece.size(), &self.body, &self.mask), piece)
            }
            Shape::Eyeglasses(glasses) => {
                let patch = head::fit_eyeglasses(glasses, piece.size(), &self.body);
                self.eyeglasses(patch, piece)
            }
        }
    }

    fn cloth_step<'a>(&'a self, piece: &'a Piece, patch: &Patch, look: Look) -> Step<'a> {
        Step::Cloth(Box::new(ClothStep {
            cloth: &piece.cloth,
            layer: Layer::new(patch, &piece.cloth, &self.grid),
            front: look.front,
            spill: look.spill,
            shade: &self.folds,
            roundness: look.roundness,
            light: self.parts.light,
            fade_in: look.fade_in,
            spill_until: look.spill_until,
            tone: &self.tone,
        }))
    }

    /// A top or a dress.
    fn upper<'a>(&'a self, upper: &Upper, piece: &'a Piece) -> Drawing<'a> {
        let sw = self.body.shoulder_width;
        let torso = fit_torso(upper, piece.garment.category, &self.body, &self.mask);
        let sleeves: [Option<SleeveFit>; 2] = std::array::from_fn(|side| {
            let sleeve = upper.sleeves[side].as_ref()?;
            Some(fit_sleeve(sleeve, &torso, &self.body, &self.mask, side))
        });
        let covered: [f32; 2] =
            std::array::from_fn(|side| sleeves[side].as_ref().map_or(0.06, |s| s.coverage));
        let mut patches = vec![&torso.patch];
        patches.extend(sleeves.iter().flatten().map(|s| &s.patch));
        let wide_torso = torso.patch.widened(0.16 * sw).raised(0.08 * sw);
        let wide_sleeves: [Option<Patch>; 2] =
            std::array::from_fn(|s| Some(sleeves[s].as_ref()?.patch.widened(0.14 * sw)));
        let mut wide = vec![&wide_torso];
        wide.extend(wide_sleeves.iter().flatten());
        let (cover, (reached, of_trunk)) = rayon::join(
            || self.cover(&patches, Some(&piece.cloth)),
            || (self.cover(&wide, None), self.cover(&[&torso.patch], Some(&piece.cloth))),
        );
        let straps = sleeves.iter().all(Option::is_none).then_some(torso.shoulder);
        let gaps = self.fill_gaps(&torso, covered, straps, &cover, &reached);

        let above_trunk = combine(&gaps.front.head, &gaps.front.arms, f32::max);
        let above_sleeves = combine(&gaps.front.head, &gaps.front.hands, f32::max);
        let arms = combine(&gaps.front.arms, &gaps.arms.alpha, f32::max);
        let ((trunk_front, sleeve_front), (contact, (by_arms, by_head))) = rayon::join(
            || rayon::join(|| self.sharpened(&above_trunk), || self.sharpened(&above_sleeves)),
            || {
                let below = || self.cast_by(&gaps.front.head, &cover, 0.22);
                rayon::join(
                    || self.contact_shadow(&cover),
                    || rayon::join(|| self.cast_by(&arms, &cover, 0.28), below),
                )
            },
        );
        let mut steps: Vec<Step> = gaps
            .fills
            .into_iter()
            .map(|Fill { alpha, colour }| Step::Fill { alpha, colour })
            .collect();
        steps.push(Step::Shadow { strength: contact });
        // A sleeve must not run on over the trunk of its own garment.
        let beside = Arc::new(combine(&gaps.spill, &of_trunk, |s, t| s * (1.0 - t)));
        let spill = Arc::new(gaps.spill);
        steps.push(self.cloth_step(
            piece,
            &wide_torso,
            Look {
                front: Some(trunk_front),
                spill: Some(Arc::clone(&spill)),
                roundness: 0.20,
                fade_in: [0.0, 0.0],
                spill_until: 0.99,
            },
        ));
        steps.push(Step::Shadow { strength: by_arms });
        steps.push(Step::Shadow { strength: by_head });
        steps.push(Step::Fill { alpha: gaps.arms.alpha, colour: gaps.arms.colour });
        // The farther arm first.
        let mut order = [0, 1];
        order.sort_by(|&a, &b| self.body.arm[b].depth.total_cmp(&self.body.arm[a].depth));
        for side in order {
            let Some(wide) = &wide_sleeves[side] else { continue };
            steps.push(self.cloth_step(
                piece,
                wide,
                Look {
                    front: Some(sleeve_front.clone()),
                    spill: Some(Arc::clone(&beside)),
                    roundness: 0.20,
                    fade_in: [0.0, 0.06],
                    spill_until: 0.94,
                },
            ));
        }
        let mut patches = vec![torso.patch];
        patches.extend(sleeves.into_iter().flatten().map(|s| s.patch));
        Drawing { steps, cover, patches }
    }

    fn fill_gaps(
        &self,
        torso: &TorsoFit,
        covered: [f32; 2],
        straps: Option<[Vec2; 2]>,
        cover: &Plane,
        reached: &Plane,
    ) -> Gaps {
        let sw = self.body.shoulder_width;
        let scene = self.scene();
        let (width, height) = (self.grid.width, self.grid.height);
        let residue = Plane::from_fn(width, height, |x, y| {
            let i = y * width + x;
            self.parts.old_cloth.data[i] * self.mask.data[i] * (1.0 - cover.data[i])
        });
        let neckline = Neckline {
            middle: torso.collar[0].midpoint(torso.collar[1]),
            half_width: torso.collar[0].distance(torso.collar[1]) * 0.5,
            depth: torso.neckline_depth,
        };
        let (neck, (arms, front)) = rayon::join(
            || uncover::neck(&scene, &neckline, &uncover::skin_field(&scene)),
            || {
                let arms = uncover::bare_arms(&scene, covered, straps);
                (arms, uncover::in_front(&scene, covered))
            },
        );
        let neck_zone = uncover::neck_zone(&self.mask, &self.body, &neckline);
        let beside_neck = uncover::beside_neck(&self.mask, &self.body, &neckline);
        // Cloth is continued over old cloth beside it, except where skin is to show.
        let spill = Plane::from_fn(width, height, |x, y| {
            let i = y * width + x;
            let old = smoothstep(self.parts.old_cloth.data[i], 0.2, 0.5);
            if old == 0.0 {
                return 0.0;
            }
            let (axial, _) = self.body.parts(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
            let hem = torso.hem_axial;
            old * (1.0 - smoothstep(axial, hem - 0.02 * sw, hem))
                * (1.0 - neck_zone.data[i])
                * (1.0 - arms.surroundings.data[i])
                * (1.0 - self.parts.hair.data[i])
        });
        let kept = Plane::from_fn(width, height, |x, y| {
            let i = y * width + x;
            let cloth =
                reached.data[i] * (1.0 - arms.surroundings.data[i]) * (1.0 - neck_zone.data[i]);
            let own_arm = arms.surroundings.data[i]
                * smoothstep(self.mask.data[i], 0.05, 0.3)
                * (1.0 - smoothstep(self.parts.old_cloth.data[i], 0.1, 0.4));
            let neck = neck_zone.data[i] * (1.0 - beside_neck.data[i]);
            cloth.max(cover.data[i]).max(neck).max(own_arm)
        });
        let mut fills = Vec::new();
        fills.extend(uncover::background(&scene, &residue, &kept, &beside_neck, torso.hem_axial));
        fills.push(neck);
        Gaps { fills, arms: arms.fill, spill, front }
    }

    /// Trousers or a skirt: over the legs, under the top that is worn and under the hands.
    fn lower<'a>(&'a self, patches: Vec<Patch>, piece: &'a Piece) -> Drawing<'a> {
        let sw = self.body.shoulder_width;
        let (width, height) = (self.grid.width, self.grid.height);
        let borders: Vec<&Patch> = patches.iter().collect();
        let cover = self.cover(&borders, Some(&piece.cloth));
        let scene = self.scene();
        let front = uncover::in_front(&scene, [0.06; 2]);
        let waist = 0.84 * self.body.torso_length;
        // A top that hangs over the waist stays in front down to its own hem, if its colours tell it from what
        // the legs wear.
        let hangs = if self.legs_look_like_the_top() {
            waist + 0.13 * sw
        } else {
            1.5 * self.body.torso_length
        };
        let hidden = Plane::from_fn(width, height, |x, y| {
            let i = y * width + x;
            let (axial, _) = self.body.parts(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
            let above = 1.0 - smoothstep(axial, hangs - 0.03 * sw, hangs + 0.03 * sw);
            let like = smoothstep(self.parts.top_likeness.data[i], 0.3, 0.6);
            let surely = 1.0 - smoothstep(axial, waist + 0.10 * sw, waist + 0.16 * sw);
            let top = above * like.max(surely * self.parts.old_cloth.data[i]);
            front.arms.data[i].max(top)
        });
        let hidden_sharp = self.sharpened(&hidden);
        let spill = Arc::new(Plane::from_fn(width, height, |x, y| {
            let i = y * width + x;
            let (axial, _) = self.body.parts(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
            let below = smoothstep(axial, waist, waist + 0.08 * sw);
            below * self.mask.data[i] * (1.0 - hidden.data[i])
        }));
        let shown = combine(&cover, &hidden, |c, h| c * (1.0 - h));
        let contact = combine(&self.contact_shadow(&shown), &hidden, |s, h| s * (1.0 - h));
        let mut steps = vec![Step::Shadow { strength: contact }];
        for patch in &patches {
            steps.push(self.cloth_step(
                piece,
                &patch.widened(0.10 * sw),
                Look {
                    front: Some(hidden_sharp.clone()),
                    spill: Some(Arc::clone(&spill)),
                    roundness: 0.24,
                    fade_in: [0.0, 0.0],
                    spill_until: 0.97,
                },
            ));
        }
        steps.push(Step::Shadow { strength: self.cast_by(&front.arms, &cover, 0.25) });
        Drawing { steps, cover, patches }
    }

    fn legs_look_like_the_top(&self) -> bool {
        self.body.leg.iter().any(|leg| {
            let (from, to) = (leg.hip.lerp(leg.knee, 0.45), leg.hip.lerp(leg.knee, 0.95));
            let radius = 0.10 * self.body.shoulder_width;
            Capsule::new(from, to, radius, radius).mean(&self.parts.top_likeness, &self.mask) > 0.3
        })
    }

    fn hat<'a>(&'a self, fit: head::HatFit, piece: &'a Piece) -> Drawing<'a> {
        let cover = self.cover(&[&fit.patch], Some(&piece.cloth));
        let shadow = uncover::shifted(&cover, -self.body.face.up * 0.12 * self.body.face.height);
        let shadow = crate::filter::gaussian(&shadow, 0.10 * self.body.face.height);
        let strength = combine(&shadow, &cover, |s, c| 0.35 * s * (1.0 - c));
        let strength = combine(&strength, &self.mask, |s, m| s * m);
        let look = Look {
            front: None,
            spill: None,
            roundness: 0.15,
            fade_in: [0.0, 0.0],
            spill_until: 0.0,
        };
        let mut steps = Vec::new();
        let above = uncover::hair_above(&self.scene(), fit.band, &cover);
        steps.extend(above.map(|Fill { alpha, colour }| Step::Fill { alpha, colour }));
        steps.push(Step::Shadow { strength });
        steps.push(self.plain_step(piece, &fit.patch, look));
        Drawing { steps, cover, patches: vec![fit.patch] }
    }

    fn eyeglasses<'a>(&'a self, patch: Patch, piece: &'a Piece) -> Drawing<'a> {
        let cover = self.cover(&[&patch], Some(&piece.cloth));
        let height = self.body.face.height;
        let shadow = uncover::shifted(&cover, -self.body.face.up * 0.07 * height);
        let strength = crate::filter::gaussian(&shadow, 0.05 * height);
        let strength = combine(&strength, &self.mask, |s, m| 0.22 * s * m);
        let look = Look {
            front: None,
            spill: None,
            roundness: 0.0,
            fade_in: [0.0, 0.0],
            spill_until: 0.0,
        };
        let steps = vec![Step::Shadow { strength }, self.plain_step(piece, &patch, look)];
        Drawing { steps, cover, patches: vec![patch] }
    }

    /// Cloth without the old clothes' folds: they do not reach the head.
    fn plain_step<'a>(&'a self, piece: &'a Piece, patch: &Patch, look: Look) -> Step<'a> {
        let mut step = self.cloth_step(piece, patch, look);
        if let Step::Cloth(cloth) = &mut step {
            cloth.shade = &self.even;
        }
        step
    }
}

/// What the new clothes leave open, and what stays before them.
struct Gaps {
    /// Under the cloth.
    fills: Vec<Fill>,
    /// Painted arms, before the trunk and under the sleeves.
    arms: Fill,
    spill: Plane,
    front: Front,
}
