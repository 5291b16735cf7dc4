"""Words that several commands say."""

from hdrmodel.networks.attention import ATTENTIONS
from hdrmodel.networks.variants import BASELINES

VARIANT_NAMES = f"{', '.join(ATTENTIONS)}; or another paper's network: {', '.join(BASELINES)}"
