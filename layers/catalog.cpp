#include "layers/catalog.h"

#include "layers/bce_objective.h"
#include "layers/bpr_objective.h"
#include "layers/cosine_contrastive_objective.h"
#include "layers/direct_au_objective.h"
#include "layers/distmult_scorer.h"
#include "layers/dot_scorer.h"
#include "layers/gcsan_encoder.h"
#include "layers/gmf_scorer.h"
#include "layers/graph_contrastive_objective.h"
#include "layers/graph_triples_objective.h"
#include "layers/in_batch_softmax_objective.h"
#include "layers/independence_objective.h"
#include "layers/learned_position.h"
#include "layers/mean_pooling_encoder.h"
#include "layers/mlp_scorer.h"
#include "layers/mutual_information_objective.h"
#include "layers/neumf_scorer.h"
#include "layers/no_position.h"
#include "layers/recurrent_encoder.h"
#include "layers/rotate_scorer.h"
#include "layers/sampled_softmax_objective.h"
#include "layers/set_pooling_encoder.h"
#include "layers/sinusoidal_position.h"
#include "layers/softmax_objective.h"
#include "layers/squared_error_objective.h"
#include "layers/srgnn_encoder.h"
#include "layers/transe_scorer.h"
#include "layers/transformer_encoder.h"
#include "layers/transr_scorer.h"
#include "layers/triples_objective.h"
#include "layers/ultra_gcn_objective.h"
#include "layers/warp_objective.h"

namespace reckon {

void add_layers(Catalog& catalog) {
  catalog.add<LearnedPosition>("learned",
                               "A trained vector for each distance from the newest item.");
  catalog.add<SinusoidalPosition>("sinusoidal", "Fixed sines and cosines of that distance.");
  catalog.add<NoPosition>("none", "Nothing, for encoders that know the order by themselves.");

  catalog.add<TransformerEncoder>("transformer", "Left-to-right self-attention over the history.");
  catalog.add<GruEncoder>("gru", "Gated recurrent units over the history.");
  catalog.add<LstmEncoder>("lstm", "Long short-term memory over the history.");
  catalog.add<MeanPoolingEncoder>("mean_pooling",
                                  "The mean of the items so far; older ones can fade.");
  catalog.add<SrgnnEncoder>("srgnn", "A gated graph network over the items of the session.");
  catalog.add<GcsanEncoder>("gcsan", "The same graph, then self-attention over its states.");

  catalog.add<SetPoolingEncoder>("set_pooling",
                                 "The history as a set: pooled as a whole, then a network.");

  catalog.add<DotScorer>("dot", "Inner product or cosine, with biases on request.");
  catalog.add<GmfScorer>("gmf", "Inner product with a trained weight for each factor.");
  catalog.add<NeumfScorer>("neumf", "GMF and a network, each on a part of the vectors.");
  catalog.add<MlpScorer>("mlp", "A network over user state, item vector and their product.");

  catalog.add<BprObjective>("bpr", "Each target above each negative, by the logistic loss.");
  catalog.add<BceObjective>("bce", "Binary cross-entropy of a target and its negatives.");
  catalog.add<SoftmaxObjective>("softmax", "Cross-entropy over all items.");
  catalog.add<SampledSoftmaxObjective>("sampled_softmax", "Cross-entropy among sampled negatives.");
  catalog.add<InBatchSoftmaxObjective>("in_batch_softmax",
                                       "Cross-entropy among the targets of the step.");
  catalog.add<CosineContrastiveObjective>(
      "cosine_contrastive", "Targets near, negatives no nearer than a margin, by cosine.");
  catalog.add<DirectAuObjective>(
      "direct_au", "Alignment of users with targets, uniformity of each among their own.");
  catalog.add<GraphContrastiveObjective>(
      "graph_contrastive", "Users and items near to themselves in two views of a graph.");
  catalog.add<MutualInformationObjective>(
      "mutual_information", "Users near to whom they hear, and those to all, channel by channel.");
  catalog.add<UltraGcnObjective>(
      "ultra_gcn", "Targets, negatives and close items, weighted by degrees in the graph.");
  catalog.add<WarpObjective>(
      "warp", "Each target above the first violating negative, weighted by its rank.");
  catalog.add<SquaredErrorObjective>("squared_error", "Squared error of ratings, with L2.");
  catalog.add<TriplesObjective>(
      "triples", "Facts about items above corrupted ones; beside an objective that ranks.");
  catalog.add<GraphTriplesObjective>(
      "graph_triples", "Edges above corrupted ones, by the relations of the propagation.");
  catalog.add<IndependenceObjective>("independence", "Intents of a propagation unlike each other.");

  catalog.add<TranseScorer>("transe", "A relation moves the head to the tail.");
  catalog.add<TransrScorer>("transr", "The same in a space of each relation's own.");
  catalog.add<DistmultScorer>("distmult", "A relation weighs the factors of an inner product.");
  catalog.add<RotateScorer>("rotate", "A relation turns the head in the complex plane.");
}

}  // namespace reckon
