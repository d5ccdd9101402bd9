//! Files, with errors that name them, and locks that keep two of us apart.

use std::fs::{self, File};
use std::path::Path;

pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| story(path, &error))
}

/// Writes the file and the folders it lies in.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| story(folder, &error))?;
    }
    fs::write(path, text).map_err(|error| story(path, &error))
}

/// Removes the folder if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<(), String> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(story(path, &error)),
        _ => Ok(()),
    }
}

/// Opens the file for appending, so that what was logged before a restart stays.
pub(super) fn append(path: &Path) -> Result<File, String> {
    let mut options = File::options();
    let file = options.create(true).append(true).open(path);
    file.map_err(|error| story(path, &error))
}

/// Waits until nobody else holds this lock; it is held until the file is dropped.
pub(super) fn lock(path: &Path) -> Result<File, String> {
    write(path, "")?;
    let file = append(path)?;
    file.lock().map_err(|error| story(path, &error))?;
    Ok(file)
}

pub(super) fn story(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
