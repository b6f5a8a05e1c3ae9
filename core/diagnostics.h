#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace reckon {

/// A place in a text a person wrote. Lines and columns count from 1; line 0 is the file as a whole.
struct SourceLocation {
  std::string file;
  int line = 0;
  int column = 0;

  /// `file:line:column`, or what of it is known.
  std::string to_string() const;
  bool operator==(const SourceLocation&) const = default;
};

/// One thing wrong with a config, phrased for the person who wrote it.
struct Diagnostic {
  SourceLocation where;
  std::string message;
  std::string hint;  ///< What to do about it; empty when nothing better than the message is known.
};

/// A config is wrong. Carries every problem found; what() shows them all, one a line:
/// `file:line:column: error: path: what is wrong`, each with `    hint: ...` below where there is one.
class ConfigError : public std::runtime_error {
 public:
  explicit ConfigError(std::vector<Diagnostic> diagnostics);
  /// A problem without a place of its own.
  explicit ConfigError(const std::string& message, const std::string& hint = "");

  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// A data file is wrong; what() is `path:line: error: message`, with a hint line where there is one.
class DataError : public std::runtime_error {
 public:
  /// `line` counts from 1; 0 is the file as a whole.
  DataError(const std::string& path, int64_t line, const std::string& message,
            const std::string& hint = "");

  const std::string& path() const { return path_; }
  int64_t line() const { return line_; }

 private:
  std::string path_;
  int64_t line_;
};

/// Collects problems, so that one reading reports all of them.
class Problems {
 public:
  void add(Diagnostic diagnostic) { diagnostics_.push_back(std::move(diagnostic)); }
  void add(SourceLocation where, std::string message, std::string hint = "") {
    diagnostics_.push_back({std::move(where), std::move(message), std::move(hint)});
  }
  /// Adds the problems of an error that was thrown by a part.
  void add(const ConfigError& error);

  bool is_empty() const { return diagnostics_.empty(); }
  size_t size() const { return diagnostics_.size(); }
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

  /// Throws ConfigError with every problem, in the order of their places, when there is any.
  void throw_if_any() const;

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// The candidate nearest to `word`, or "" when none is near enough to be worth suggesting.
/// Distance is Damerau-Levenshtein on lower case, with '-' and '_' taken as equal.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// A hint for a word that is not among the candidates: "did you mean 'x'?" or "known: a, b, c".
std::string suggest(const std::string& word, const std::vector<std::string>& candidates);

/// "a, b, c".
std::string join(const std::vector<std::string>& words, const std::string& separator = ", ");

}  // namespace reckon
