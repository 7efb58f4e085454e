from hwmodels.boards import Board as Board
from hwmodels.graph import Graph as Graph
from nas.api.model import Model as Model
from nas.api.model import load as load
from nas.api.model import read as read
from nas.api.model import score as score
from nas.api.run import Run as Run
from nas.api.run import rescore as rescore
from nas.api.run import search as search
from ppg.recording import Recording as Recording
from ppgnas.errors import PpgnasError as PpgnasError
from search_spaces.arch import Arch as Arch
from search_spaces.space import SearchSpace as SearchSpace

__all__: list[str]
__version__: str
