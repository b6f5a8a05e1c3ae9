// What carried a recommendation, from the experiment to the sentence at the terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/command.h"

namespace reckon::explain_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Explain : public ::testing::Test {
 protected:
  Explain() : shop_("explain") {}

  // Trains and exports; the path of the file.
  std::string file_of(const std::string& name, const std::string& model,
                      const std::vector<std::string>& more = {}) const {
    const auto experiment = shop_.experiment(name + ".yaml", "model: " + model + "\n");
    const auto trained =
        reckon({"train", experiment, "--quiet", "--limit-batches", "3", "--run", shop_.file(name)});
    EXPECT_EQ(trained.code, 0) << trained.err;
    std::vector<std::string> arguments = {"export", shop_.file(name), "-o",
                                          shop_.file(name + ".pt")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto exported = reckon(arguments);
    EXPECT_EQ(exported.code, 0) << exported.err;
    return shop_.file(name + ".pt");
  }

  static Said explain(const std::string& model, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"explain", model});
    return reckon(arguments);
  }

  Workshop shop_;
};

TEST_F(Explain, GivesSharesThatAddUpToWhatRecommendGives) {
  const std::vector<std::string> with_users = {"--set", "export.include_users=true"};
  const auto knn = file_of("knn", "{preset: item_knn}", with_users);
  const auto graph = file_of("graph", "{preset: lightgcn, dim: 8}", with_users);
  for (const auto& model : {knn, graph})
    for (const std::vector<std::string>& asked :
         {std::vector<std::string>{"--user", "u3"}, {"--history", "i0,i3,i6"}}) {
      auto request = asked;
      request.insert(request.begin(), {"recommend", model, "-k", "1", "--format", "json"});
      const auto best = json::parse(reckon(request).out).at("items").at(0);
      auto again = asked;
      again.insert(again.end(), {"--item", best.at("item").get<std::string>(), "--json"});
      const auto said = explain(model, again);
      ASSERT_EQ(said.code, 0) << said.err;
      EXPECT_EQ(said.err, "");
      const auto why = json::parse(said.out);
      double sum = why.at("others").get<double>() + why.at("rest").get<double>();
      for (const auto& source : why.at("sources")) sum += source.at("contribution").get<double>();
      EXPECT_NEAR(sum, best.at("score").get<double>(), 1e-5);
      EXPECT_THAT(why.at("sources"), Not(IsEmpty()));
      again.back() = "--k";
      again.emplace_back("1");
      const auto table = explain(model, again);
      EXPECT_THAT(table.out, HasSubstr("rank  item"));
      EXPECT_THAT(table.out, HasSubstr(why["sources"][0]["item"].get<std::string>()));
      EXPECT_THAT(table.out, Not(HasSubstr("\n   2  ")));
    }
}

TEST_F(Explain, RefusesTheModelOfTheFirstPageWithASentence) {
  const auto model =
      file_of("first",
              "{preset: sasrec_softmax, dim: 8, user: {history: {encoder: {num_heads: 2}}}}");
  const auto said = explain(model, {"--history", "i0,i3", "--item", "i6"});
  EXPECT_EQ(said.code, 1);
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(said.err, HasSubstr("error: this model explains nothing: its scores are no sums"));
  EXPECT_THAT(reckon({"inspect", model}).out,
              HasSubstr("refused: scores of this model are no sums"));
}

TEST_F(Explain, GoesOnWithUnknownUsersAndItemsAsRecommendDoes) {
  const auto model = file_of("knn", "{preset: item_knn}", {"--set", "export.include_users=true"});
  const auto item = explain(model, {"--user", "u3", "--item", "nope"});
  EXPECT_EQ(item.code, 0);
  EXPECT_EQ(item.out, "nothing is known of item nope\n");
  EXPECT_THAT(item.err, HasSubstr("warning: the model does not know item nope"));
  const auto user = explain(model, {"--user", "nobody", "--item", "i3"});
  EXPECT_EQ(user.code, 0);
  EXPECT_THAT(user.err, HasSubstr("warning: the model does not know user nobody"));
  EXPECT_THAT(user.out, HasSubstr("nothing of the request has a share in that"));
}

TEST_F(Explain, SaysWhatIsMissingOnTheCommandLine) {
  EXPECT_EQ(explain("m.pt", {"--user", "u3"}).code, 2);
  const auto nobody = explain("m.pt", {"--item", "i3"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("neither --user nor --history given"));
  const auto none = explain("m.pt", {"--user", "u3", "--item", "i3", "-k", "0"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("must be a whole number of at least 1, got '0'"));
  const auto missing = explain(shop_.file("none.pt"), {"--user", "u3", "--item", "i3"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("none.pt: error: cannot be read"));
}

}  // namespace
}  // namespace reckon::explain_test
