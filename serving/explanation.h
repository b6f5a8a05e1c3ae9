#pragma once

#include <string>
#include <utility>
#include <vector>

namespace reckon {

/// Why an item has its score for somebody: what brings it, largest by magnitude first. The
/// contributions, `others` and `rest` add up to `score`.
struct ItemExplanation {
  using Columns = std::vector<std::pair<std::string, std::string>>;  ///< Name and text, to show.
  struct Source {
    std::string id;
    double contribution = 0.0;
    Columns columns;  ///< Of items alone.
  };

  std::string item;
  Columns columns;
  double score = 0.0;
  bool by_users = false;  ///< Sources are users of the training data, else items.
  std::vector<Source> sources;
  double others = 0.0;               ///< Of sources that are left out.
  double rest = 0.0;                 ///< Of no source: vectors of ids, biases, the fallback.
  bool unknown_item = false;         ///< Then nothing above is there.
  bool unknown_user = false;         ///< The file does not know the user.
  std::vector<std::string> unknown;  ///< Items of the history that it does not know.
  std::string fallback;              ///< What the score is instead; empty when the model gave it.
};

/// For people: a table of the sources, and a sentence of what is beside them.
std::string to_table(const ItemExplanation& explanation);

/// One line of JSON for programs:
///   {"item":"50","score":1.5,"by":"items","sources":[{"item":"181","contribution":0.9,
///    "title":"..."}],"others":0.4,"rest":0.2,"unknown":["x"],"fallback":"...","title":"..."}
/// unknown and fallback where they apply, and of an unknown item without score, others and rest.
/// Sources that are users have the key `user`. A column called like a key has `_` behind its name.
std::string to_json_line(const ItemExplanation& explanation);

}  // namespace reckon
