#include "models/catalog.h"

#include "models/appnp_propagation.h"
#include "models/autoencoder.h"
#include "models/baseline_only.h"
#include "models/co_clustering.h"
#include "models/diffnet_propagation.h"
#include "models/ease.h"
#include "models/gat_propagation.h"
#include "models/gc_mc.h"
#include "models/gf_cf.h"
#include "models/graphsage_propagation.h"
#include "models/hgt_propagation.h"
#include "models/ials.h"
#include "models/item_knn.h"
#include "models/kgat_propagation.h"
#include "models/kgin_propagation.h"
#include "models/knn_ratings.h"
#include "models/light_gcn_propagation.h"
#include "models/link_similarity.h"
#include "models/mhcn_propagation.h"
#include "models/ngcf_propagation.h"
#include "models/nmf.h"
#include "models/popularity.h"
#include "models/pure_svd.h"
#include "models/r_gcn_propagation.h"
#include "models/random.h"
#include "models/recvae.h"
#include "models/retrieval.h"
#include "models/slim.h"
#include "models/slope_one.h"
#include "models/svd.h"
#include "models/svd_pp.h"
#include "models/user_knn.h"
#include "models/walk_embedding.h"

namespace reckon {

void add_models(Catalog& catalog) {
  catalog.add<LightGcnPropagation>("lightgcn",
                                   "Sums over neighbours, layer by layer, and their mean.");
  catalog.add<AppnpPropagation>("appnp", "Personalised PageRank of the vectors.");
  catalog.add<NgcfPropagation>("ngcf", "Trained layers of sums and products with neighbours.");
  catalog.add<GraphsagePropagation>("graphsage",
                                    "Trained layers of a node and its neighbours' mean.");
  catalog.add<GatPropagation>("gat", "Attention over neighbours by trained heads.");
  catalog.add<RGcnPropagation>("r_gcn", "Neighbours' means with a matrix for each relation.");
  catalog.add<HgtPropagation>("hgt", "Attention and messages that each relation has of its own.");
  catalog.add<DiffnetPropagation>(
      "diffnet", "What spreads among friends by trained layers, and the mean of own items.");
  catalog.add<MhcnPropagation>(
      "mhcn", "Three channels of triangles of friends and items, weighed by attention.");
  catalog.add<KgatPropagation>("kgat", "Attention along relations by how close they bring nodes.");
  catalog.add<KginPropagation>("kgin", "Intents of users, and items along the paths of relations.");
  catalog.add<Retrieval>("retrieval", "Users and items in one space; slots for every part.");
  catalog.add<Autoencoder>("autoencoder", "A set of items through a narrow network and back.");
  catalog.add<Recvae>("recvae", "The same, variational and held close to its own past.");
  catalog.add<ItemKnn>("item_knn", "What is like what the user chose: item-based neighborhoods.");
  catalog.add<Ease>("ease", "Restores a user's items from the others; linear, in closed form.");
  catalog.add<GfCf>("gf_cf", "Low-pass filters over the graph of users and items.");
  catalog.add<PureSvd>("pure_svd", "Singular vectors of users by items.");
  catalog.add<Slim>("slim", "Each item as a sparse sum of others, by coordinate descent.");
  catalog.add<LinkSimilarity>("link_similarity", "Who knows whom in common: friends of friends.");
  catalog.add<UserKnn>("user_knn",
                       "What those chose who chose the same: user-based neighborhoods.");
  catalog.add<Popularity>("popularity", "What most interactions in training chose.");
  catalog.add<Ials>("ials", "Matrix factorisation by alternating least squares.");
  catalog.add<WalkEmbedding>("walk_embedding", "Who is met on random walks over a graph.");
  catalog.add<Random>("random", "A fixed random ranking for each user.");
  catalog.add<BaselineOnly>("baseline_only",
                            "Ratings from how users and items differ from the mean.");
  catalog.add<Svd>("svd", "Ratings by biased matrix factorisation.");
  catalog.add<SvdPp>("svd_pp", "The same, knowing which items a user has rated at all.");
  catalog.add<Nmf>("nmf", "Ratings by non-negative matrix factorisation.");
  catalog.add<SlopeOne>("slope_one", "Ratings from mean differences between items.");
  catalog.add<KnnRatings>("knn_ratings", "Ratings of the most similar users or items.");
  catalog.add<CoClustering>("co_clustering", "Ratings from groups of users and groups of items.");
  catalog.add<GcMc>("gc_mc", "Ratings from a graph in which each level of them is an edge type.");
}

}  // namespace reckon
