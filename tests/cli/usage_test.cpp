// What the program says to somebody at a terminal: wrong words, wrong values, full disks, interrupts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/files.h"
#include "tests/support/program.h"

namespace reckon::usage_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Said {
  int code = 0;
  std::string out, err;
};

std::string quoted(const std::string& text) { return "'" + text + "'"; }

class CommandLine : public ::testing::Test {
 protected:
  // A run of users with times, of whom `late` has rows in the test split alone, and its exported file.
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder("usage");
    std::ofstream ratings(file("ratings.tsv"));
    ratings << "user\titem\ttimestamp\n";
    for (int user = 0; user < 20; ++user)
      for (int step = 0; step < 8; ++step)
        ratings << "u" << user << "\ti" << (user * 3 + step * 5) % 30 << "\t"
                << 100 + user * 8 + step << "\n";
    for (int step = 0; step < 3; ++step) ratings << "late\ti" << step << "\t" << 900 + step << "\n";
    ratings << "u3\ti29\t950\nu4\ti29\t600\n";
    ratings.close();
    std::ofstream items(file("items.tsv"));
    items << "item\ttitle\treleased\n";
    for (int item = 0; item < 30; ++item)
      items << "i" << item << "\tTitle " << item << "\t" << 1990 + item << "\n";
    items.close();
    write("users.yaml", experiment("{preset: bpr_mf, dim: 8}", ""));
    const auto trained =
        reckon("train " + file("users.yaml") + " --quiet --limit-batches 2 --run " + file("run"));
    ASSERT_EQ(trained.code, 0) << trained.err;
    const auto exported = reckon("export " + file("run") + " -o " + file("users.pt"));
    ASSERT_EQ(exported.code, 0) << exported.err;
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::string file(const std::string& name) { return folder_->file(name); }
  static std::string write(const std::string& name, const std::string& text) {
    write_file_atomic(file(name), text);
    return file(name);
  }
  static std::string experiment(const std::string& model, const std::string& rest) {
    return "data:\n  directory: " + quoted(folder_->path().string()) +
           "\n  cache: " + quoted(file("cache")) +
           "\n  files:\n    interactions: {path: ratings.tsv}\n    items: {path: items.tsv}\n"
           "  split: {type: time, validation_from: 500, test_from: 800}\nmodel: " +
           model + "\n" + rest;
  }
  // Runs the program with arguments, and perhaps redirections, as a shell reads them.
  static Said reckon(const std::string& arguments) {
    const auto command = quoted(RECKON_PROGRAM) + " " + arguments + " 2> " + file("err");
    const bool redirected = arguments.find('>') != std::string::npos;
    const int status = std::system((command + (redirected ? "" : " > " + file("out"))).c_str());
    return {WEXITSTATUS(status), redirected ? "" : read_file(file("out")), read_file(file("err"))};
  }

  static TemporaryFolder* folder_;
};
TemporaryFolder* CommandLine::folder_ = nullptr;

TEST_F(CommandLine, SuggestsTheCommandThatWasMeant) {
  const auto said = reckon("recommand m.pt");
  EXPECT_EQ(said.code, 2);
  EXPECT_THAT(said.err, HasSubstr("there is no command 'recommand'; did you mean 'recommend'?"));
  EXPECT_THAT(reckon("").err, HasSubstr("a command is missing; known: "));
  EXPECT_THAT(reckon("data fecth").err,
              HasSubstr("reckon data: there is no command 'fecth'; did you mean 'fetch'?"));
}

TEST_F(CommandLine, SuggestsTheOptionThatWasMeant) {
  const auto said = reckon("recommend m.pt --histroy 1");
  EXPECT_EQ(said.code, 2);
  EXPECT_THAT(said.err,
              HasSubstr("reckon recommend: unknown option '--histroy'; did you mean '--history'?"));
  // The option that is missing is the one that was misspelt.
  EXPECT_THAT(reckon("export run --ouput m.pt").err,
              HasSubstr("unknown option '--ouput'; did you mean '--output'?"));
  EXPECT_THAT(reckon("inspect m.pt another.pt").err,
              HasSubstr("reckon inspect: unexpected argument 'another.pt'"));
}

TEST_F(CommandLine, SaysWhatANumberMustBe) {
  for (const std::string value : {"0", "-3", "1.5", "ten", "99999999999999999999"}) {
    const auto said = reckon("recommend m.pt --history i1 -k " + value);
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err,
                HasSubstr("-k: must be a whole number of at least 1, got '" + value + "'"));
    EXPECT_LT(said.err.size(), 200U);
  }
}

TEST_F(CommandLine, TakesNoOptionForAForgottenValue) {
  for (const std::string name :
       {"--history", "--user", "--similar-to", "--input", "--candidates"}) {
    const auto said = reckon("recommend m.pt " + name + " --exclude-seen");
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err,
                HasSubstr(name + ": the value is missing: '--exclude-seen' is an option"));
  }
  EXPECT_EQ(reckon("train x.yaml --run --force").code, 2);
}

TEST_F(CommandLine, ChecksTheSplitBeforeAnythingRuns) {
  const auto said = reckon("evaluate " + file("run") + " --split tset");
  EXPECT_EQ(said.code, 2);
  EXPECT_THAT(said.err, HasSubstr("--split"));
  EXPECT_THAT(said.err, HasSubstr("tset"));
}

TEST_F(CommandLine, DescribesEveryOptionOfEveryCommand) {
  constexpr size_t kColumn = 30;  // of the descriptions
  int num_options = 0;
  for (const std::string command :
       {"train", "evaluate", "compare", "export", "embeddings", "recommend", "explain", "inspect",
        "describe", "check", "prepare", "data fetch"}) {
    std::istringstream help(reckon(command + " --help").out);
    std::string option;
    bool is_described = true;
    const auto finish = [&] { EXPECT_TRUE(is_described) << command << ": " << option; };
    for (std::string line; std::getline(help, line);) {
      if (line.rfind("  -", 0) == 0) {
        finish();
        option = line;
        is_described = false;
        ++num_options;
      } else if (line.rfind("  ", 0) != 0) {
        finish();
        is_described = true;
      }
      is_described = is_described ||
                     (line.size() > kColumn && line[kColumn - 1] == ' ' && line[kColumn] != ' ');
    }
    finish();
  }
  EXPECT_GT(num_options, 30);
}

TEST_F(CommandLine, ShowsAFirstRunInTheFirstHelpAlone) {
  EXPECT_THAT(reckon("--help").out, HasSubstr("A first run:"));
  for (const std::string command : {"train", "recommend", "data fetch"})
    EXPECT_THAT(reckon(command + " --help").out, Not(HasSubstr("A first run:")));
}

TEST_F(CommandLine, NamesTheKeysOfARequestLineInTheHelp) {
  const auto help = reckon("recommend --help").out;
  for (const std::string key :
       {"history", "user", "similar_to", "k", "exclude", "candidates", "exclude_seen"})
    EXPECT_THAT(help.substr(help.find("Its keys")), HasSubstr(key));
}

TEST_F(CommandLine, FailsWhenItsOutputGoesNowhere) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  for (const std::string& arguments :
       {"recommend " + file("users.pt") + " --user u1", "inspect " + file("users.pt"),
        std::string("describe"), std::string("--help")}) {
    const auto said = reckon(arguments + " > /dev/full");
    EXPECT_EQ(said.code, 1) << arguments;
    EXPECT_THAT(said.err, HasSubstr("error: the output could not be written")) << arguments;
  }
}

TEST_F(CommandLine, RecommendsTheFallbackToAUserWithoutRowsInTraining) {
  const auto late = reckon("recommend " + file("users.pt") + " --user late -k 3 --format json");
  ASSERT_EQ(late.code, 0) << late.err;
  EXPECT_THAT(
      late.err,
      HasSubstr(
          "warning: nothing was learnt of user late; it gets the items most popular in training"));
  const auto nobody = reckon("recommend " + file("users.pt") + " --user nobody -k 3 --format json");
  EXPECT_THAT(nobody.err, HasSubstr("warning: the model does not know user nobody"));
  using Json = nlohmann::json;
  EXPECT_EQ(Json::parse(late.out)["items"], Json::parse(nobody.out)["items"]);
  const auto known = reckon("recommend " + file("users.pt") + " --user u1 -k 3 --format json");
  EXPECT_EQ(known.err, "");
  EXPECT_NE(Json::parse(known.out)["items"], Json::parse(nobody.out)["items"]);
}

TEST_F(CommandLine, ReadsRequestsFromStandardInput) {
  write("lines.jsonl", "{\"user\": \"u1\", \"k\": 2}\n{\"user\": \"u2\", \"k\": 2}\n");
  const auto piped =
      reckon("recommend " + file("users.pt") + " --input - --format json < " + file("lines.jsonl"));
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_EQ(piped.out, reckon("recommend " + file("users.pt") + " --format json --input " +
                              file("lines.jsonl"))
                           .out);
  write("lines.jsonl", "{\"user\": \"u1\"}\n{\"usr\": \"u2\"}\n");
  EXPECT_THAT(reckon("recommend " + file("users.pt") + " --input - < " + file("lines.jsonl")).err,
              HasSubstr("<standard input>:2: error: unknown key 'usr'"));
}

TEST_F(CommandLine, FindsAColumnThatTheDataDoesNotKeepBeforeItTrains) {
  const auto path =
      write("columns.yaml",
            experiment("popularity", "export: {display: [title, titel, released]}\n"));
  for (const std::string& command :
       {"check " + path, "train " + path + " --run " + file("columns")}) {
    const auto said = reckon(command);
    EXPECT_EQ(said.code, 1) << command;
    EXPECT_THAT(
        said.err,
        HasSubstr(
            "columns.yaml:9:27: error: export.display[1]: the data keeps no column 'titel' of "
            "items\n    hint: did you mean 'title'?"))
        << command;
    EXPECT_THAT(
        said.err,
        HasSubstr(
            "error: export.display[2]: the data keeps no column 'released' of items\n    hint: "
            "kept: title; name it in data.files.items.display"))
        << command;
  }
  EXPECT_FALSE(fs::exists(file("columns")));
  const auto late = reckon("export " + file("run") + " -o " + file("columns.pt") +
                           " --set export.display=[year]");
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err,
              HasSubstr(
                  "<command line>: error: export.display[0]: the data keeps no column 'year'"));
  EXPECT_EQ(reckon("export " + file("run") + " -o " + file("columns.pt") +
                   " --set export.display=[]")
                .code,
            0);
  EXPECT_THAT(reckon("inspect " + file("columns.pt")).out, Not(HasSubstr("shown beside items")));
  EXPECT_THAT(reckon("inspect " + file("users.pt")).out, HasSubstr("shown beside items: title"));
}

TEST_F(CommandLine, LooksAtThePlaceOfTheOutputFirst) {
  // Before the run is even looked for.
  EXPECT_THAT(reckon("export no-such-run -o " + folder_->path().string()).err,
              HasSubstr("cannot be written: it is a folder"));
  EXPECT_THAT(reckon("export no-such-run -o " + file("missing/model.pt")).err,
              HasSubstr("its folder " + file("missing") + " is not there"));
  EXPECT_THAT(reckon("embeddings no-such-run -o " + file("missing/v.tsv")).err,
              HasSubstr("its folder " + file("missing") + " is not there"));
}

TEST_F(CommandLine, SaysWhyAFolderIsNoRun) {
  fs::create_directories(file("runs/a"));
  fs::create_directories(file("seeds/seed-1"));
  fs::create_directories(file("begun"));
  for (const std::string name : {"runs/a", "seeds/seed-1", "begun"})
    fs::copy_file(file("run/config.yaml"), file(name + "/config.yaml"),
                  fs::copy_options::overwrite_existing);
  EXPECT_THAT(reckon("export " + file("runs") + " -o " + file("x.pt")).err,
              HasSubstr("it holds runs, give one of them: " + file("runs/a")));
  EXPECT_THAT(reckon("export " + file("seeds") + " -o " + file("x.pt")).err,
              HasSubstr("it holds runs of several seeds, give one of them: " +
                        file("seeds/seed-1")));
  EXPECT_THAT(reckon("export " + file("begun") + " -o " + file("x.pt")).err,
              HasSubstr(
                  "this run has no checkpoint: its training was interrupted before the first"));
}

TEST_F(CommandLine, LeavesNothingBehindWhenAnExportIsInterrupted) {
  const fs::path folder = file("interrupted");
  fs::create_directories(folder);
  const std::string run = file("run"), output = (folder / "model.pt").string();
  const pid_t child = fork();
  if (child == 0) {
    if (freopen("/dev/null", "w", stdout) == nullptr ||
        freopen("/dev/null", "w", stderr) == nullptr)
      _exit(99);
    execl(RECKON_PROGRAM, RECKON_PROGRAM, "export", run.c_str(), "-o", output.c_str(), nullptr);
    _exit(98);
  }
  const auto num_files = [&] {
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
  };
  int status = 0;
  while (num_files() == 0) {
    ASSERT_EQ(waitpid(child, &status, WNOHANG), 0) << "ended without a file";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(fs::exists(output));
  kill(child, SIGINT);
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
  EXPECT_EQ(num_files(), 0);
}

}  // namespace
}  // namespace reckon::usage_test
