from hwmodels.boards import Board as Board
from hwmodels.graph import Graph as Graph
from nas.api import Model as Model
from nas.api import Run as Run
from nas.api import load as load
from nas.api import read as read
from nas.api import rescore as rescore
from nas.api import score as score
from nas.api import search as search
from ppg.recording import Recording as Recording
from ppgnas.errors import PpgnasError as PpgnasError
from search_spaces.arch import Arch as Arch
from search_spaces.space import SearchSpace as SearchSpace

__all__: list[str]
__version__: str
