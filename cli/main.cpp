#include "cli/default_catalog.h"
#include "cli/run.h"

int main(int argc, char** argv) { return reckon::run(argc, argv, reckon::default_catalog()); }
