#include "serving/explain_command.h"

#include "core/diagnostics.h"
#include "serving/recommender.h"
#include "serving/request_sentences.h"
#include "serving/requests.h"

namespace reckon {
namespace {

[[noreturn]] void refuse_options(const std::string& message, const std::string& hint) {
  throw ConfigError({{{.file = "<command line>"}, message, hint}});
}

Request request_of(const ExplainOptions& options) {
  if (!options.user && !options.history)
    refuse_options("neither --user nor --history given",
                   "say to whom the item is explained: --user 196");
  if (options.item.empty())
    refuse_options("--item: is empty", "give the id of an item, such as --item 50");
  if (options.k < 1) refuse_options("-k: must be at least 1, got " + std::to_string(options.k), "");
  Request request;
  request.kind = options.user && options.history ? Request::Kind::kUserWithHistory
                 : options.user                  ? Request::Kind::kUser
                                                 : Request::Kind::kHistory;
  request.id = options.user.value_or("");
  request.history = split_ids(options.history.value_or(""));
  return request;
}

void say_what_is_unknown(const ItemExplanation& answer, const Request& request,
                         const std::function<void(const std::string&)>& warn) {
  if (answer.unknown_item) warn("the model does not know item " + answer.item);
  if (answer.unknown_user) warn("the model does not know user " + request.id);
  if (!answer.unknown.empty())
    warn("the model does not know " + some_of(answer.unknown) + "; " +
         (answer.unknown.size() == 1 ? "it is ignored" : "they are ignored"));
  if (!answer.fallback.empty())
    warn((request.kind == Request::Kind::kUser && !answer.unknown_user
              ? "nothing was learnt of user " + request.id
              : std::string("nothing usable is left of the request")) +
         "; it gets " + answer.fallback);
}

}  // namespace

void run_explain(const ExplainOptions& options, std::ostream& out,
                 const std::function<void(const std::string&)>& warn) {
  const auto request = request_of(options);
  const Recommender recommender(options.model_path);
  if (const auto refusal = refusal_to_explain(recommender.file().description(), request))
    throw DataError(options.model_path, 0, refusal->reason, refusal->hint);
  const auto answer = recommender.explain(request, options.item, options.k);
  if (options.as_json)
    out << to_json_line(answer) << "\n";
  else
    out << to_table(answer);
  out << std::flush;
  say_what_is_unknown(answer, request, warn);
}

}  // namespace reckon
