//! Draws charts of a log, prints its summary and checks conditions.

use std::fs;

use crate::{
    args::{Kind, Models, Out, Picture, Report, View},
    choose_log::{self, DEFAULT, Logs},
    draw::{
        chart::{self, Chart, fonts},
        course::Course,
        graph::Graph,
        html::{self, Page},
        theme::{Layout, Size},
    },
    exit_code::{BROKEN, DONE},
    failure::Failure,
    output::Output,
    series::{Lines, Series},
    summary::{
        Summary,
        render::{self, Format},
    },
    words::plural,
    write,
};

/// Width of a step of a long run, in pixels.
const PIXELS_PER_BIN: u64 = 10;

/// Runs a report and returns the exit code.
pub(crate) fn run(report: &Report, output: &mut Output<'_>) -> Result<u8, Failure> {
    let logs = choose_log::read(&report.source)?;
    logs.notes.iter().for_each(|note| output.note(note));
    let other = match &report.compare {
        Some(other) => Some(ComparedLogs(choose_log::read_named(other, &report.source)?)),
        None => None,
    };
    if let Some(ComparedLogs(other)) = &other {
        other.notes.iter().for_each(|note| output.note(note));
    }
    let run = Run { report, logs };
    if report.view.is_some()
        && let Some(only) = run.only_model()
    {
        output.note(&format!("no model {DEFAULT:?} in {}; drawing the only one, {only:?}", run.logs.path_text()));
    }
    match (&report.view, &other) {
        (Some(View::Terminal), _) => run.show(other.as_ref(), output)?,
        (Some(View::Picture(picture)), _) => run.draw(picture, other.as_ref(), output)?,
        (None, _) => {}
    }
    let summaries = run.summaries(other.is_some())?;
    if let Some(other) = &other {
        let [this] = &summaries[..] else { return Err(Failure::CompareSeveral(summaries.len())) };
        let that = Summary::from_series(&this.model, other.series(&this.model)?);
        let names = other.names(&run.logs);
        let format = report.summary.unwrap_or(Format::Text);
        print(output, render::comparison(format, [&names[0], &names[1]], [this, &that]))?;
    } else if let Some(format) = report.summary {
        print(output, render::summaries(format, &run.logs.name(), &summaries))?;
    }
    Ok(run.check(&summaries, output))
}

fn print(output: &mut Output<'_>, result: impl AsRef<[u8]>) -> Result<(), Failure> {
    output.print(result).map_err(Failure::Stdout)
}

struct Run<'a> {
    report: &'a Report,
    logs: Logs,
}

type Chosen<'a> = Vec<(&'a str, &'a Series)>;

impl Run<'_> {
    #[cfg(feature = "terminal")]
    fn show(&self, other: Option<&ComparedLogs>, output: &mut Output<'_>) -> Result<(), Failure> {
        let screen = crate::draw::terminal::Screen::of_stdout();
        let course = self.course(other, u64::from(screen.columns()), output)?.0;
        print(output, crate::draw::terminal::draw_panels(&course, screen))
    }

    #[cfg(not(feature = "terminal"))]
    #[allow(clippy::unused_self)] // The same signature as with the feature.
    fn show(&self, _: Option<&ComparedLogs>, _: &mut Output<'_>) -> Result<(), Failure> {
        Err(Failure::NoTerminal)
    }

    fn draw(&self, picture: &Picture, other: Option<&ComparedLogs>, output: &mut Output<'_>) -> Result<(), Failure> {
        let (bytes, name) = if picture.kind == Kind::Html { self.page()? } else { self.chart(picture, other, output)? };
        let path = match &picture.out {
            Out::Stdout => return print(output, bytes),
            Out::File(path) => path.clone(),
            Out::Default => {
                let (model, lines) = name;
                write::default_name(self.logs.path(), self.logs.others(), &model, &lines, picture.kind.extension())
                    .into()
            }
        };
        let mut logs = self.logs.paths.iter().chain(other.iter().flat_map(|ComparedLogs(other)| &other.paths));
        if logs.any(|log| write::is_same_file(log, &path)) {
            return Err(Failure::OverLog(path));
        }
        write::write(&bytes, &path).map_err(|source| Failure::Write { path: path.clone(), source })?;
        if self.report.summary.is_some() || other.is_some() {
            // Stdout contains the summary.
            output.note(&format!("wrote {}", path.display()));
        } else {
            print(output, format!("{}\n", path.display()))?;
        }
        if picture.open {
            // The viewer may have another working directory.
            let whole = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            open::that_detached(whole).map_err(|source| Failure::Open { path, source })?;
        }
        Ok(())
    }

    /// Draws the selected models in a layout, and returns the picture and the words for its file name.
    fn chart(
        &self,
        picture: &Picture,
        other: Option<&ComparedLogs>,
        output: &mut Output<'_>,
    ) -> Result<(Vec<u8>, NameParts), Failure> {
        let Picture { kind, size, layout, .. } = *picture;
        if layout == Layout::Panels {
            let (course, name) = self.course(other, u64::from(size.width) / PIXELS_PER_BIN, output)?;
            return Ok((self.picture(kind, &course, size)?, name));
        }
        let (graph, name) = self.graph(other, size.width, output)?;
        Ok((self.picture(kind, &graph, size)?, name))
    }

    /// Returns the panels of the selected models in about `bins` steps, and the words for the file name.
    fn course(
        &self,
        other: Option<&ComparedLogs>,
        bins: u64,
        output: &mut Output<'_>,
    ) -> Result<(Course, NameParts), Failure> {
        let chosen = self.chosen()?;
        let lines = self.report.lines.clone().unwrap_or_default();
        Ok(match (&chosen[..], other) {
            ([(model, series)], None) if self.report.models != Models::All => {
                let summary = Summary::from_series(model, series);
                let course = Course::of_model(model, series, &lines, bins, &summary);
                (course, ((*model).to_owned(), lines.letters().to_owned()))
            }
            ([(model, series)], Some(other)) => {
                let names = other.names(&self.logs);
                let runs = [*series, other.series(model)?];
                let course = Course::of_runs(model, runs, [&names[0], &names[1]], &lines, bins);
                (course, ((*model).to_owned(), compared(&lines)))
            }
            (several, Some(_)) => return Err(Failure::CompareSeveral(several.len())),
            (several, None) => (Course::of_models(several, bins), self.name_of_several(output)),
        })
    }

    /// Returns the words for the file name of a picture of several models.
    fn name_of_several(&self, output: &mut Output<'_>) -> NameParts {
        if self.report.lines.is_some() {
            output.note("-lines is ignored: several models are compared by their finished calls");
        }
        let name = match &self.report.models {
            Models::Named(names) => names.clone(),
            _ => "all".into(),
        };
        (name, "f".into())
    }

    fn picture<'b>(&self, kind: Kind, chart: impl Into<Chart<'b>>, size: Size) -> Result<Vec<u8>, Failure> {
        if kind == Kind::Svg {
            return chart::svg(chart, size, self.report.theme).map(String::into_bytes).map_err(Failure::Draw);
        }
        let pixels = chart::pixels(chart, size, self.report.theme, fonts::system).map_err(Failure::Draw)?;
        pixels.encode().map_err(|error| Failure::Draw(error.to_string()))
    }

    /// Returns a page of all models, on which the selected one is shown first.
    fn page(&self) -> Result<(Vec<u8>, NameParts), Failure> {
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
            summaries: &models.iter().map(|(model, series)| Summary::from_series(model, series)).collect::<Vec<_>>(),
            shown: models.iter().position(|(model, _)| *model == shown).unwrap_or(0),
            lines: &lines,
            theme: self.report.theme,
        });
        Ok((page.into_bytes(), ("all".into(), lines.letters().into())))
    }

    /// Returns the graph of the selected models, and the words for its file name.
    fn graph(
        &self,
        other: Option<&ComparedLogs>,
        columns: u32,
        output: &mut Output<'_>,
    ) -> Result<(Graph, NameParts), Failure> {
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
                (graph, ((*model).to_owned(), compared(&lines)))
            }
            (several, Some(_)) => return Err(Failure::CompareSeveral(several.len())),
            (several, None) => (Graph::of_models(several, columns), self.name_of_several(output)),
        })
    }

    /// Returns the only model of the log if none was selected and it is not the default one.
    fn only_model(&self) -> Option<&str> {
        let models = &self.logs.models;
        let model = models.keys().next().filter(|model| *model != DEFAULT)?;
        (self.report.models == Models::Default && models.len() == 1).then_some(model)
    }

    /// Returns the selected models. Without a selection: the default model, or the only one.
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
            // A name may contain a comma.
            Models::Named(names) if models.contains_key(names) => Ok(vec![one(names)?]),
            Models::Named(names) => names.split(',').map(one).collect(),
        }
    }

    /// Returns the summaries to print, check or compare.
    fn summaries(&self, compared: bool) -> Result<Vec<Summary>, Failure> {
        let Report { summary, check, models, .. } = self.report;
        if summary.is_none() && check.is_none() && !compared {
            return Ok(Vec::new());
        }
        let chosen = match models {
            // Without a selection, all models are summarized; a comparison takes one.
            Models::Default if !compared => {
                self.logs.models.iter().map(|(model, series)| (model.as_str(), series)).collect()
            }
            _ => self.chosen()?,
        };
        Ok(chosen.into_iter().map(|(model, series)| Summary::from_series(model, series)).collect())
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
                output.print_error(&format!("check failed: {:?}: {broken}{of}", summary.model));
                code = BROKEN;
            }
        }
        if self.logs.unreadable > 0 {
            let lines = plural(self.logs.unreadable, "unreadable line");
            output.print_error(&format!("check failed: {lines}: the figures are incomplete{of}"));
            code = BROKEN;
        }
        code
    }
}

/// The model and the letters of the lines, for a file name.
type NameParts = (String, String);

/// Returns the words for the lines of a comparison in a file name.
fn compared(lines: &Lines) -> String {
    format!("{}_compared", lines.letters())
}

/// The logs of the run to compare with.
struct ComparedLogs(Logs);

impl ComparedLogs {
    fn series(&self, model: &str) -> Result<&Series, Failure> {
        self.0.models.get(model).ok_or_else(|| no_model(model, &self.0))
    }

    /// Returns the names of both logs: file names, or paths if the file names are equal.
    fn names(&self, this: &Logs) -> [String; 2] {
        let names = [this.name(), self.0.name()];
        if names[0] == names[1] { [this.path_text(), self.0.path_text()] } else { names }
    }
}

fn no_model(model: &str, logs: &Logs) -> Failure {
    let present = logs.models.keys().map(|model| format!("{model:?}")).collect::<Vec<_>>().join(", ");
    Failure::NoModel { model: model.to_owned(), log: logs.path_text(), present }
}
