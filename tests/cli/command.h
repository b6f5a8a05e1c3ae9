#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "cli/default_catalog.h"
#include "cli/run.h"
#include "core/log.h"
#include "tests/support/temporary_folder.h"

namespace reckon {

/// What a command came to.
struct Said {
  int code = 0;
  std::string out, err;
};

/// Runs `reckon` with these arguments within this process.
inline Said reckon(std::vector<std::string> arguments) {
  static const Catalog catalog = default_catalog();
  arguments.insert(arguments.begin(), "reckon");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  init_log({});
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Said said;
  said.code = run(static_cast<int>(argv.size()), argv.data(), catalog);
  said.out = testing::internal::GetCapturedStdout();
  said.err = testing::internal::GetCapturedStderr();
  init_log({});
  return said;
}

/// A folder with a small data set and experiments over it.
class Workshop {
 public:
  explicit Workshop(const std::string& name) : folder_("cli-" + name) {
    std::string text;
    for (int user = 0; user < 40; ++user) {
      text += "u" + std::to_string(user);
      for (int step = 0; step < 6; ++step)
        text += " i" + std::to_string((user * 5 + step * 3) % 25);
      text += "\n";
    }
    write("sequences.txt", text);
  }

  std::string file(const std::string& name) const { return folder_.file(name); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
  }

  /// Writes an experiment; `sections` follow `data`, of which `split` is a part of its own.
  std::string experiment(const std::string& name, const std::string& sections,
                         const std::string& data = "") const {
    write(name, "data:\n  directory: '" + folder_.path().string() + "'\n  cache: '" +
                    file("cache") +
                    "'\n  files: {interactions: {path: sequences.txt, format: sequences}}\n" +
                    data + sections);
    return file(name);
  }

 private:
  TemporaryFolder folder_;
};

/// A sequence model of a few numbers, and how it learns in a moment.
inline const char* const kTinySequenceModel =
    "model: {family: retrieval, dim: 8, user: {history: {max_length: 5, encoder: {type: gru}}}, "
    "objectives: "
    "[{type: softmax}]}\n";
inline const char* const kTinyUserModel =
    "model: {family: retrieval, dim: 8, user: {id: {}}, objectives: [{type: bpr}]}\n";
inline const char* const kShortTraining =
    "training: {type: supervised, epochs: 2, batch_size: 16, threads: 1, shards: 1}\n";

}  // namespace reckon
