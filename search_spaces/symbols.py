"""Notation of hyperparameters: symbol in TeX and in plain text, and unit."""

from typing import NamedTuple


class Symbol(NamedTuple):
    """Notation of a hyperparameter.

    Attributes:
        tex: TeX without dollar signs, limited to what matplotlib's mathtext supports.
        text: Same symbol in plain Unicode, for terminals and Markdown.
        unit: Unit of the value; empty for a pure number.
    """

    tex: str
    text: str
    unit: str = ""


SYMBOLS = {
    "temperature": Symbol("T", "T"),
    "lambda_cls": Symbol(r"\lambda_{\mathrm{cls}}", "λ_cls"),
    "lambda_e": Symbol(r"\lambda_{E}", "λ_E"),
    "lambda_kd": Symbol(r"\lambda_{\mathrm{KD}}", "λ_KD"),
    "lambda_kl": Symbol(r"\lambda_{\mathrm{KL}}", "λ_KL"),
    "lambda_f": Symbol(r"\lambda_{f}", "λ_f"),
    "epsilon": Symbol(r"\varepsilon", "ε"),
    "alpha": Symbol(r"\alpha", "α"),
    "beta": Symbol(r"\beta", "β", "1/nat"),
    "mu": Symbol(r"\mu", "μ"),
    "training.lr": Symbol(r"\eta", "η"),
    "training.weight_decay": Symbol(r"\lambda_{\mathrm{wd}}", "λ_wd"),
    "training.momentum": Symbol(r"\mu_{\mathrm{SGD}}", "μ_SGD"),
    "training.batch_size": Symbol("B", "B", "images"),
    "training.epochs": Symbol(r"\mathrm{epochs}", "epochs", "epochs"),
}


def symbol(name: str) -> Symbol:
    r"""Returns the notation of the parameter called ``name``; an unknown parameter gets its name as symbol.

    Example:
        >>> symbol("lambda_cls").text
        'λ_cls'
        >>> symbol("my_weight")
        Symbol(tex='\\mathrm{my\\_weight}', text='my_weight', unit='')
    """
    return SYMBOLS.get(name) or Symbol(r"\mathrm{" + name.replace("_", r"\_") + "}", name)
