"""Widgets of the lessons: each is one ES module with its Python class beside it."""

from ccalib.lessons.widgets.base import LessonWidget, module_text
from ccalib.lessons.widgets.bought import Bought
from ccalib.lessons.widgets.dashboard import Dashboard
from ccalib.lessons.widgets.diagram import Diagram
from ccalib.lessons.widgets.explorer import Explorer
from ccalib.lessons.widgets.group_bytes import GroupBytes
from ccalib.lessons.widgets.inspector import Inspector
from ccalib.lessons.widgets.predict import Predict
from ccalib.lessons.widgets.progressive import Progressive, segment_ends
from ccalib.lessons.widgets.quality import Quality
from ccalib.lessons.widgets.rate_plot import RatePlot
from ccalib.lessons.widgets.schedule import ScheduleDesigner
from ccalib.lessons.widgets.step import StepChooser
from ccalib.lessons.widgets.toy import TwoScalars
from ccalib.lessons.widgets.wipe import Wipe

__all__ = [
    "Bought",
    "Dashboard",
    "Diagram",
    "Explorer",
    "GroupBytes",
    "Inspector",
    "LessonWidget",
    "Predict",
    "Progressive",
    "Quality",
    "RatePlot",
    "ScheduleDesigner",
    "StepChooser",
    "TwoScalars",
    "Wipe",
    "module_text",
    "segment_ends",
]
