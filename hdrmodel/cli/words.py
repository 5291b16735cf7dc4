"""Words that several commands say."""

from hdrmodel.attention import ATTENTIONS
from hdrmodel.variants import BASELINES

VARIANT_NAMES = f"{', '.join(ATTENTIONS)}; or another paper's network: {', '.join(BASELINES)}"
