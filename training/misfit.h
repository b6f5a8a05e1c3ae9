#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace reckon {

/// One thing in the options of a procedure that does not fit the model or the data.
struct Misfit {
  std::string key;  ///< Below `training`: `optimizer.groups[0].parameters[1]`.
  std::string message;
  std::string hint;
};

/// What the constructor of a procedure throws: everything that does not fit, at once.
class MisfitError : public std::invalid_argument {
 public:
  explicit MisfitError(std::vector<Misfit> misfits);
  const std::vector<Misfit>& misfits() const { return misfits_; }

 private:
  std::vector<Misfit> misfits_;
};

}  // namespace reckon
