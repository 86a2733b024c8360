"""The table of adaptations to the images a network is tested on."""

from __future__ import annotations

from .table import Row, Table

ADAPTATIONS = Table(
    "adaptation",
    "robustbench_eff.adaptations",
    {
        "batches": Row(
            "robustbench_eff.models.adaptation.batches:Batches",
            "the network as it is, which may depend on the batch or adapt by itself",
        ),
        "bn1": Row(
            "robustbench_eff.models.adaptation.bn1:BN1",
            "batch-norm statistics of the test batch (Nado et al. 2020, Schneider et al. 2020)",
        ),
        "tent": Row(
            "robustbench_eff.models.adaptation.tent:Tent",
            "entropy minimisation on the affine parameters of batch norms (Wang et al. 2021)",
        ),
    },
    is_class=True,
    needs=("__dataclass_fields__", "version", "stream"),
)
