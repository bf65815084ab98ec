"""From where on gradients are worth a word: in ``eq.doctor``, ``equipoise doctor`` and the monitor alike."""

MOST = 0.95  # of all norms of gradients: one loss dominates
COMPARABLE = 0.1  # ratio of two norms from which on their directions matter
OPPOSED = -0.1  # cosine below which two losses conflict by more than noise
PARALLEL = 1 - 1e-6  # cosine
PLANE = 3  # shared numbers below which gradients are parallel by chance
