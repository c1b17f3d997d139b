"""TreeExplainer with shap's contract, on leafshap's engine."""

from __future__ import annotations

import pickle
import time
from typing import Any

import numpy as np
import pandas as pd
import shap
from shap import maskers
from shap._serializable import Deserializer, Serializer
from shap.utils._exceptions import ExplainerError

import leafshap
from leafshap.compat.shap.arguments import check_labels, choose_perturbation, default_limit
from leafshap.compat.shap.backgrounds import check_masker, masker_of, rows_of_background
from leafshap.compat.shap.drop_in import DropIn, warn_caller, warn_fallback
from leafshap.compat.shap.expected import (
    both_classes,
    expected_when_called,
    expected_when_made,
)
from leafshap.compat.shap.rows import (
    by_position,
    column_names,
    dense_rows,
    hidden_in_dmatrix,
    is_dmatrix,
    shown_rows,
)
from leafshap.converted import Converted
from leafshap.errors import (
    AdditivityError,
    InvalidModelError,
    LinearTreeError,
    UnsupportedModelError,
)
from leafshap.explainers.outputs import MODEL_OUTPUTS

_NOT_GIVEN = object()


class TreeExplainer(shap.TreeExplainer, metaclass=DropIn):
    """Exact SHAP values of tree models: `shap.TreeExplainer`, computed by leafshap.

    Arguments, attributes and results are shap's; docs/coming_from_shap.md lists what differs. Of
    background data all rows count, not a sample of 100, unless they come in a
    `shap.maskers.Independent`. What leafshap does not represent is left to shap's own class, with a
    `FallbackWarning`.

    Raises
    ------
    InvalidMaskerError, InvalidFeaturePerturbationError, ExplainerError
        As shap's; for models that neither explains, shap's exception.
    """

    replaces = shap.TreeExplainer
    _engine: Any = None  # leafshap's; None: shap's own code is used
    _may_fall_back = True

    def __init__(
        self,
        model: Any,
        data: Any = None,
        model_output: Any = "raw",
        feature_perturbation: str = "auto",
        feature_names: Any = None,
        approximate: Any = _NOT_GIVEN,
        link: Any = None,
        linearize_link: Any = None,
    ) -> None:
        if approximate is not _NOT_GIVEN:
            warn_caller(
                "The approximate argument has been deprecated in version v0.47.0 and has no "
                "effect: use that of shap_values or of the call",
                DeprecationWarning,
            )
        try:
            self._make(model, data, model_output, feature_perturbation, feature_names)
        except LinearTreeError:  # shap reads them, and is wrong
            raise
        except (UnsupportedModelError, InvalidModelError) as error:
            if not self._may_fall_back:
                raise
            del self._engine
            super().__init__(model, data, model_output, feature_perturbation, feature_names)
            if isinstance(error, InvalidModelError):  # what shap does not notice
                raise
            warn_fallback("TreeExplainer", str(error))

    @classmethod
    def without_fallback(cls, *arguments: Any, **options: Any) -> TreeExplainer:
        """Make an explainer that leafshap computes, from the constructor's arguments.

        Raises
        ------
        UnsupportedModelError, InvalidModelError
            If it cannot.
        """
        made = cls.__new__(cls)
        made._may_fall_back = False
        cls.__init__(made, *arguments, **options)
        del made._may_fall_back
        return made

    def _make(
        self, model: Any, data: Any, model_output: Any, perturbation: str, feature_names: Any
    ) -> None:
        """Make the engine, and all attributes of shap's.

        Raises
        ------
        UnsupportedModelError, InvalidModelError
            If leafshap does not explain this.
        """
        self._engine = None
        check_masker(data)
        perturbation = choose_perturbation(perturbation, data is not None)
        if not isinstance(model_output, str) or model_output not in MODEL_OUTPUTS:
            raise UnsupportedModelError(f"model_output={model_output!r} is not supported")
        if perturbation == "tree_path_dependent" and model_output != "raw":
            raise ValueError(
                'Only model_output="raw" is supported for '
                'feature_perturbation="tree_path_dependent"'
            )
        converted = Converted.of(model)
        ensemble = converted.ensemble
        self._library = ensemble.source.partition(" ")[0]
        # as XGBoost's own values, which shap gives
        single = data is None and self._library == "xgboost"
        self._dtype = "float32" if single else "float64"
        rows = rows_of_background(data, ensemble.schema)
        engine = leafshap.TreeExplainer(
            converted, rows, model_output, perturbation, dtype=self._dtype
        )
        masker = masker_of(data)
        if feature_names is not None:
            self.data_feature_names = feature_names
        elif hasattr(data, "columns"):
            self.data_feature_names = list(data.columns)
        super(TreeExplainer.replaces, self).__init__(model, masker, feature_names=feature_names)
        del self.__dict__["model"]
        self._engine, self._model = engine, model
        self._default_limit = default_limit(model, ensemble)
        self._both_classes = (
            model_output == "predict_proba"
            and ensemble.n_outputs == 1
            and ensemble.link != "probability"
        )
        self.feature_perturbation = perturbation
        self.model_output = model_output
        self.data = None if masker is None else masker.data
        self.data_missing = None if masker is None else pd.isna(masker.data)
        self._expect()

    @property
    def model(self) -> Any:
        """`shap`'s own `TreeEnsemble` of the model, made when it is first asked for.

        leafshap's, for a model that shap cannot represent.
        """
        if "model" not in self.__dict__:
            from shap.explainers._tree import TreeEnsemble

            try:
                self.model = TreeEnsemble(
                    self._model, self.data, self.data_missing, self.model_output
                )
            except Exception:  # of any kind: shap does not know the model
                self.model = self._engine.model
        return self.__dict__["model"]

    @model.setter
    def model(self, model: Any) -> None:
        # where it stands in objects whose class becomes this one, as `shap.Explainer`'s do
        self.__dict__["model"] = model

    def shap_values(
        self,
        X: Any,
        y: Any = None,
        tree_limit: int | None = None,
        approximate: bool = False,
        check_additivity: bool = True,
        from_call: bool = False,
    ) -> Any:
        """SHAP values of every row, as `shap.TreeExplainer.shap_values`.

        Returns
        -------
        ndarray, shape (n, F), or (n, F, K) with several outputs
            float32 for XGBoost without background data, else float64. Without the row axis for a
            single row.

        Raises
        ------
        ExplainerError
            If the values do not add up to the model's own prediction, or labels are missing.
        DimensionError
            If there is another number of labels than rows.
        InvalidInputError
            If X does not fit the model.
        """
        if self._leaves_to_shap(X):
            return super().shap_values(X, y, tree_limit, approximate, check_additivity, from_call)
        if self.model_output == "log_loss":
            check_labels(X, y)
        limit = self._limit(tree_limit)
        try:
            values = self._engine.shap_values(
                self._rows(X), y, limit, bool(approximate), bool(check_additivity)
            )
        except AdditivityError as error:
            raise ExplainerError(f"Additivity check failed in TreeExplainer! {error}") from error
        if self._library in ("xgboost", "lightgbm") and self.data is None:
            self._expect_of_call(limit)
        return both_classes(values) if self._both_classes else values

    def shap_interaction_values(self, X: Any, y: Any = None, tree_limit: int | None = None) -> Any:
        """SHAP interaction values of every row, with and without background data.

        Returns
        -------
        ndarray, shape (n, F, F), or (n, F, F, K) with several outputs

        Raises
        ------
        AssertionError
            If another output than the raw one is explained.
        InvalidInputError
            If X does not fit the model.
        """
        if self._leaves_to_shap(X):
            return super().shap_interaction_values(X, y, tree_limit)
        if self.model_output != "raw":
            raise AssertionError(
                'Only model_output = "raw" is supported for SHAP interaction values right now!'
            )
        limit = self._limit(tree_limit)
        values = self._engine.shap_interaction_values(
            self._rows(X), tree_limit=limit, check_additivity=False
        )
        if self._n_outputs > 1 or (self._library == "xgboost" and self.data is None):
            self._expect_of_call(limit)
        return values

    def __call__(
        self,
        X: Any,
        y: Any = None,
        interactions: bool = False,
        check_additivity: bool = True,
        approximate: bool = False,
    ) -> Any:
        """SHAP values, or interaction values, as a `shap.Explanation`."""
        if self._engine is None:
            return super().__call__(X, y, interactions, check_additivity, approximate)
        began = time.time()
        if interactions:
            if approximate:
                raise NotImplementedError(
                    "Approximate computation not yet supported for interaction effects!"
                )
            values = self.shap_interaction_values(X)
        else:
            values = self.shap_values(
                X, y, approximate=approximate, check_additivity=check_additivity, from_call=True
            )
        names = getattr(self, "data_feature_names", None)
        return shap.Explanation(
            values,
            base_values=self._base_values(values, y),
            data=shown_rows(X),
            feature_names=column_names(X) or names,
            compute_time=time.time() - began,
        )

    def _base_values(self, values: Any, y: Any) -> Any:
        """Repeat the expected value for every row, (n,) or (n, K).

        Of a single row, for every feature: shap does so, and its users write ``base_values[0]``.
        """
        if callable(self.expected_value):
            return self.expected_value(np.asarray(y, dtype=np.float64).reshape(-1))
        expected = np.asarray(self.expected_value)
        if expected.shape == (1,):
            expected = expected[0]
        return np.tile(expected, (len(values), 1) if expected.ndim else len(values))

    def _leaves_to_shap(self, X: Any) -> bool:
        if self._engine is None:
            return True
        why = hidden_in_dmatrix(X, self._engine.model.schema)
        if why is not None:
            warn_fallback("TreeExplainer", why)
        return why is not None

    def _rows(self, X: Any) -> Any:
        X = dense_rows(X) if is_dmatrix(X) else X
        return by_position(X, self._engine.model.schema)

    def _limit(self, tree_limit: int | None) -> int | None:
        """Trees to use: XGBoost's are cut to whole iterations, LightGBM's count iterations."""
        if tree_limit is None:
            return self._default_limit
        ensemble = self._engine.model
        if tree_limit < 0 or self.data is not None:
            return tree_limit
        per_iteration = max(1, ensemble.trees_per_iteration)
        if self._library == "xgboost":
            return tree_limit // per_iteration * per_iteration or -1
        return tree_limit * per_iteration or -1 if self._library == "lightgbm" else tree_limit

    def _expect(self) -> None:
        """Set the expected value of a new explainer."""
        expected: Any = self._engine.expected_values(self._default_limit)
        self._n_outputs = 1
        if callable(expected):  # of a label
            self.expected_value = expected
        elif self._both_classes:
            self._n_outputs = 2
            self.expected_value = [1 - expected[0], expected[0]]
        else:
            self._n_outputs = len(expected)
            self.expected_value = expected_when_made(expected, with_data=self.data is not None)

    def _expect_of_call(self, tree_limit: int | None) -> None:
        """Set the expected value that comes with values."""
        expected = np.asarray(self._engine.expected_values(tree_limit))
        self.expected_value = expected_when_called(expected, self._dtype)

    @staticmethod
    def supports_model_with_masker(model: Any, masker: Any) -> bool:
        """Tell whether the model is one of trees, and the masker None or independent."""
        if not (masker is None or isinstance(masker, maskers.Independent)):
            return False
        try:
            leafshap.TreeEnsemble.from_model(model)
        except (leafshap.LeafshapError, OSError):
            return bool(TreeExplainer.replaces.supports_model_with_masker(model, masker))
        return True

    def save(self, out_file: Any, model_saver: Any = ".save", masker_saver: Any = ".save") -> None:
        """Write the explainer to a binary stream, with its background data (shap leaves it out)."""
        if self._engine is None:
            super().save(out_file, model_saver, masker_saver)
            return
        pickle.dump(type(self), out_file)
        with Serializer(out_file, "leafshap.TreeExplainer", version=0) as block:
            if model_saver == ".save" and not hasattr(self._model, "save"):
                model_saver = "auto"  # pickled; shap 0.47 would look for the method
            block.save("model", self._model, model_saver)
            block.save("data", self.masker, None if self.masker is None else masker_saver)
            block.save("model_output", self.model_output)
            block.save("feature_perturbation", self.feature_perturbation)
            block.save("feature_names", getattr(self, "data_feature_names", None))

    @classmethod
    def load(
        cls,
        in_file: Any,
        model_loader: Any = None,
        masker_loader: Any = None,
        instantiate: Any = True,
    ) -> Any:
        """Read an explainer that `save` wrote, or its constructor's arguments."""
        if instantiate:
            return cls._instantiated_load(
                in_file, model_loader=model_loader, masker_loader=masker_loader
            )
        with Deserializer(in_file, "leafshap.TreeExplainer", min_version=0, max_version=0) as block:
            return {
                "model": block.load("model", model_loader),
                "data": block.load("data", masker_loader),
                "model_output": block.load("model_output"),
                "feature_perturbation": block.load("feature_perturbation"),
                "feature_names": block.load("feature_names"),
            }
