//! Pictures and figures of a log, and whether conditions hold.

use std::fs;

use crate::{
    BROKEN, DONE,
    args::{Kind, Models, Out, Picture, Report, View},
    choose_log::{self, DEFAULT, Logs},
    draw::{
        chart,
        graph::Graph,
        html::{self, Page},
        theme::Size,
    },
    failure::Failure,
    output::Output,
    series::Series,
    summary::{
        Summary,
        render::{self, Format},
    },
    write,
};

/// Does what was asked for; gives the exit code.
pub(crate) fn run(report: &Report, output: &mut Output<'_>) -> Result<u8, Failure> {
    let logs = choose_log::read(&report.source)?;
    logs.notes.iter().for_each(|note| output.note(note));
    let other = match &report.compare {
        Some(other) => Some(Other(choose_log::named(other, &report.source)?)),
        None => None,
    };
    if let Some(Other(other)) = &other {
        other.notes.iter().for_each(|note| output.note(note));
    }
    let run = Run { report, logs };
    if report.view.is_some()
        && let Some(only) = run.only_model()
    {
        output.note(&format!("no model {DEFAULT:?} in {}; drawing the only one, {only:?}", run.logs.place()));
    }
    match (&report.view, &other) {
        (Some(View::Terminal), _) => run.show(other.as_ref(), output)?,
        (Some(View::Picture(picture)), _) => run.draw(picture, other.as_ref(), output)?,
        (None, _) => {}
    }
    let summaries = run.summaries(other.is_some())?;
    if let Some(other) = &other {
        let [this] = &summaries[..] else { return Err(Failure::CompareSeveral(summaries.len())) };
        let that = Summary::of(&this.model, other.series(&this.model)?);
        let names = other.names(&run.logs);
        let format = report.summary.unwrap_or(Format::Text);
        output.print(render::comparison(format, [&names[0], &names[1]], [this, &that]))?;
    } else if let Some(format) = report.summary {
        output.print(render::summaries(format, &run.logs.name(), &summaries))?;
    }
    Ok(run.check(&summaries, output))
}

struct Run<'a> {
    report: &'a Report,
    logs: Logs,
}

type Chosen<'a> = Vec<(&'a str, &'a Series)>;

impl Run<'_> {
    #[cfg(feature = "terminal")]
    fn show(&self, other: Option<&Other>, output: &mut Output<'_>) -> Result<(), Failure> {
        let screen = crate::draw::terminal::Screen::of_stdout();
        let graph = self.graph(other, screen.columns(), output)?.0;
        output.print(crate::draw::terminal::draw(&graph, screen))
    }

    #[cfg(not(feature = "terminal"))]
    #[allow(clippy::unused_self)] // As with it.
    fn show(&self, _: Option<&Other>, _: &mut Output<'_>) -> Result<(), Failure> {
        Err(Failure::NoTerminal)
    }

    fn draw(&self, picture: &Picture, other: Option<&Other>, output: &mut Output<'_>) -> Result<(), Failure> {
        let (bytes, name) = if picture.kind == Kind::Html {
            self.page()?
        } else {
            let (graph, name) = self.graph(other, picture.size.width, output)?;
            (self.picture(picture.kind, &graph, picture.size)?, name)
        };
        let path = match &picture.out {
            Out::Stdout => return output.print(bytes),
            Out::File(path) => path.clone(),
            Out::Named => {
                let (model, lines) = name;
                write::name(self.logs.path(), self.logs.others(), &model, &lines, picture.kind.ending()).into()
            }
        };
        let mut logs = self.logs.paths.iter().chain(other.iter().flat_map(|Other(other)| &other.paths));
        if logs.any(|log| write::same(log, &path)) {
            return Err(Failure::OverLog(path));
        }
        write::write(&bytes, &path).map_err(|source| Failure::Write { path: path.clone(), source })?;
        if self.report.summary.is_some() || other.is_some() {
            // The figures have stdout for themselves.
            output.note(&format!("drew {}", path.display()));
        } else {
            output.print(format!("{}\n", path.display()))?;
        }
        if picture.open {
            // Viewers may have another working directory.
            let whole = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            open::that_detached(whole).map_err(|source| Failure::Open { path, source })?;
        }
        Ok(())
    }

    fn picture(&self, kind: Kind, graph: &Graph, size: Size) -> Result<Vec<u8>, Failure> {
        if kind == Kind::Svg {
            return chart::svg(graph, size, self.report.theme).map(String::into_bytes).map_err(Failure::Draw);
        }
        let pixels = chart::pixels(graph, size, self.report.theme).map_err(Failure::Draw)?;
        pixels.encode().map_err(|error| Failure::Draw(error.to_string()))
    }

    /// Every model, with the chosen one shown first.
    fn page(&self) -> Result<(Vec<u8>, Named), Failure> {
        let models: Chosen<'_> = self.logs.models.iter().map(|(model, series)| (model.as_str(), series)).collect();
        let shown = match &self.report.models {
            Models::Default if self.logs.models.contains_key(DEFAULT) => DEFAULT,
            Models::Default | Models::All => models[0].0,
            Models::Named(_) => self.chosen()?[0].0,
        };
        let lines = self.report.lines.clone().unwrap_or_default();
        let page = html::page(&Page {
            log: &self.logs.name(),
            models: &models,
            summaries: &models.iter().map(|(model, series)| Summary::of(model, series)).collect::<Vec<_>>(),
            shown: models.iter().position(|(model, _)| *model == shown).unwrap_or(0),
            lines: &lines,
            theme: self.report.theme,
        });
        Ok((page.into_bytes(), ("all".into(), lines.letters().into())))
    }

    /// What is to be drawn, and how it is named.
    fn graph(&self, other: Option<&Other>, columns: u32, output: &mut Output<'_>) -> Result<(Graph, Named), Failure> {
        let chosen = self.chosen()?;
        let lines = self.report.lines.clone().unwrap_or_default();
        Ok(match (&chosen[..], other) {
            ([(model, series)], None) if self.report.models != Models::All => {
                (Graph::of_model(model, series, &lines, columns), ((*model).to_owned(), lines.letters().to_owned()))
            }
            ([(model, series)], Some(other)) => {
                let names = other.names(&self.logs);
                let series = [*series, other.series(model)?];
                let graph = Graph::of_runs(model, series, [&names[0], &names[1]], &lines, columns);
                (graph, ((*model).to_owned(), format!("{}_compared", lines.letters())))
            }
            (several, Some(_)) => return Err(Failure::CompareSeveral(several.len())),
            (several, None) => {
                if self.report.lines.is_some() {
                    output.note("several models are compared by their finished calls; -lines is for one");
                }
                let name = match &self.report.models {
                    Models::Named(names) => names.clone(),
                    _ => "all".into(),
                };
                (Graph::of_models(several, columns), (name, "f".into()))
            }
        })
    }

    /// The model that is meant by default because it is the only one.
    fn only_model(&self) -> Option<&str> {
        let models = &self.logs.models;
        let model = models.keys().next().filter(|model| *model != DEFAULT)?;
        (self.report.models == Models::Default && models.len() == 1).then_some(model)
    }

    /// The models that were asked for; by default the one called so, or the only one.
    fn chosen(&self) -> Result<Chosen<'_>, Failure> {
        let models = &self.logs.models;
        let one = |name: &str| {
            models
                .get_key_value(name)
                .map(|(model, series)| (model.as_str(), series))
                .ok_or_else(|| no_model(name, &self.logs))
        };
        match &self.report.models {
            Models::All => Ok(models.iter().map(|(model, series)| (model.as_str(), series)).collect()),
            Models::Default => Ok(vec![one(self.only_model().unwrap_or(DEFAULT))?]),
            // A name may have a comma in it.
            Models::Named(names) if models.contains_key(names) => Ok(vec![one(names)?]),
            Models::Named(names) => names.split(',').map(one).collect(),
        }
    }

    /// The figures that were asked for, or that are checked or compared.
    fn summaries(&self, compared: bool) -> Result<Vec<Summary>, Failure> {
        let Report { summary, check, models, .. } = self.report;
        if summary.is_none() && check.is_none() && !compared {
            return Ok(Vec::new());
        }
        let chosen = match models {
            // Figures are of every model, unless one is compared.
            Models::Default if !compared => {
                self.logs.models.iter().map(|(model, series)| (model.as_str(), series)).collect()
            }
            _ => self.chosen()?,
        };
        Ok(chosen.into_iter().map(|(model, series)| Summary::of(model, series)).collect())
    }

    fn check(&self, summaries: &[Summary], output: &mut Output<'_>) -> u8 {
        let Some(conditions) = &self.report.check else { return DONE };
        let of = match self.logs.paths.len() {
            1 => String::new(),
            several => format!(", in {several} logs"),
        };
        let mut code = DONE;
        for summary in summaries {
            for broken in conditions.broken_by(summary) {
                output.complain(&format!("check failed: {:?}: {broken}{of}\n", summary.model));
                code = BROKEN;
            }
        }
        code
    }
}

/// The model and the lines in the name of a picture.
type Named = (String, String);

/// The run that is compared with.
struct Other(Logs);

impl Other {
    fn series(&self, model: &str) -> Result<&Series, Failure> {
        self.0.models.get(model).ok_or_else(|| no_model(model, &self.0))
    }

    /// What tells the two logs apart.
    fn names(&self, this: &Logs) -> [String; 2] {
        let names = [this.name(), self.0.name()];
        if names[0] == names[1] { [this.place(), self.0.place()] } else { names }
    }
}

fn no_model(model: &str, logs: &Logs) -> Failure {
    let present = logs.models.keys().map(|model| format!("{model:?}")).collect::<Vec<_>>().join(", ");
    Failure::NoModel { model: model.to_owned(), log: logs.place(), present }
}
