# The clang that scripts/versions.env names, for the preset `sanitize`: its version stands in one place.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../scripts/versions.env reckon_clang REGEX "^CLANG_MAJOR=")
string(REPLACE "CLANG_MAJOR=" "" reckon_clang "${reckon_clang}")
set(CMAKE_C_COMPILER clang-${reckon_clang})
set(CMAKE_CXX_COMPILER clang++-${reckon_clang})
