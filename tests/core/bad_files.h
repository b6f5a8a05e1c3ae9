#pragma once

#include <functional>
#include <string>
#include <vector>

namespace reckon {

/// A wrong file beside the text of the message that it must give: `name.yaml` and `name.txt`.
struct BadFile {
  std::string name;      ///< "duplicate_key.yaml"
  std::string path;
  std::string expected;  ///< Content of the .txt, without the newline at its end.
};

/// All pairs of a folder in the order of their names; a .yaml without .txt is expected to give "".
std::vector<BadFile> bad_files(const std::string& folder);

/// Runs `read` on a file and returns what() of the ConfigError it throws, with the folder taken out of
/// every path, so that expected texts do not depend on where the source lies. "" when it throws none.
std::string message_of(const BadFile& file, const std::function<void(const std::string& path)>& read);

}  // namespace reckon
