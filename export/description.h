#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace reckon {

/// A method of an exported file.
struct MethodDescription {
  std::string name;
  std::string signature;
  std::string meaning;
  std::string refusal;  ///< Why this file does not offer it; empty when it does.
};

/// What an exported file says of itself: the JSON that its describe() returns.
struct Description {
  /// Files of another version are refused; it grows when methods or their meaning change.
  static constexpr int64_t kVersion = 4;

  int64_t num_items = 0;
  int64_t num_users = 0;
  int64_t max_length = 0;    ///< Newest items of a history that the model reads; 0: none.
  bool reads_users = false;  ///< Requests to the model carry user ids.

  // Who can be served (models/model.h, Contract).
  bool known_user = false;
  bool new_user_with_history = false;
  bool user_features = false;
  bool new_item_with_content = false;
  std::string fallback;              ///< What a request gets that has nothing usable; a sentence.
  bool ranks_for_everybody = false;  ///< The model itself answers such requests; no fallback.

  bool user_ids = false;                  ///< The file holds the ids of users.
  std::vector<std::string> user_columns;  ///< What recommend_features reads of a user.
  bool user_histories = false;  ///< It holds their items, the newest `user_items` of each; 0: all.
  int64_t user_items = 0;

  bool inner_product = false;  ///< Scores are inner products, so that an index may be built.
  bool sum_of_queries = true;  ///< Over a user's several vectors; else the best of them counts.
  bool query_bias = false;     ///< A number of the user is added to all of its scores.
  bool scores_all = false;     ///< Without one: all items of a request are scored together.
  bool item_vectors = false;
  /// What scores are sums over, and explanations therefore name: `items`, `users`, or nothing.
  std::string explained_by;
  /// Known users are explained by what they did in training, which a file holds only with
  /// user_histories.
  bool explains_by_training = false;
  int64_t num_states = 0;  ///< Tensors of an encoded request.
  int64_t num_parameters = 0;
  int64_t weight_bytes = 0;          ///< All tensors that scores are made of, the fallback's too.
  int64_t id_bytes = 0;              ///< Id maps and display columns.
  int64_t history_bytes = 0;         ///< What is held of each user beside the id.
  std::vector<std::string> display;  ///< Columns shown beside item ids.

  std::vector<MethodDescription> methods;
  std::string config_yaml;   ///< The resolved experiment.
  std::string metrics_json;  ///< A JSON value; empty when the model was not evaluated.
  std::string fingerprint;   ///< Of the data.
  std::map<std::string, std::string> versions;

  /// Whether the file can divide a score, and name what has a share in it.
  bool explains() const { return explained_by == "items" || (explained_by == "users" && user_ids); }
  /// The same for users that it knows. Who is explained by training needs all of it in the file.
  bool explains_users() const {
    return explains() && user_ids && (!explains_by_training || (user_histories && user_items == 0));
  }

  /// The method called `name`, or null.
  const MethodDescription* method(const std::string& name) const;

  std::string to_json() const;

  /// Throws std::invalid_argument with a sentence when `text` is not such a description.
  static Description from_json(const std::string& text);
};

}  // namespace reckon
